package dev.anneal.training.trainer;

import dev.anneal.training.timing.Profile;
import java.util.ArrayList;
import java.util.List;

/** Asks for a profile and keeps it. */
final class ProfilingListener extends RecordingListener {
  private final int steps;
  private final List<Profile> profiles = new ArrayList<>();

  ProfilingListener(int steps) {
    this.steps = steps;
  }

  List<Profile> profiles() {
    return profiles;
  }

  @Override
  public int profiledSteps() {
    return steps;
  }

  @Override
  public void onProfile(Profile profile) {
    profiles.add(profile);
  }
}
