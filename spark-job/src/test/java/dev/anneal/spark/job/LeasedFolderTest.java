package dev.anneal.spark.job;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LeasedFolderTest {
  @TempDir Path dir;

  @Test
  void nothingIsChangedInAFolderThatIsNoLongerThisRuns() throws Exception {
    RunFolder folder = new RunFolder(dir.toUri().toString(), new Configuration());
    AtomicInteger told = new AtomicInteger();
    try (LeasedFolder held = new LeasedFolder(folder, "a")) {
      held.whenLost(told::incrementAndGet);
      RunFolder guarded = held.folder();
      guarded.write("run.json", "mine".getBytes(UTF_8));
      assertThat(held.loss()).isEmpty();

      Files.delete(dir.resolve(RunFolder.LOCK));
      Files.writeString(dir.resolve("run.json"), "another's");
      assertRefused(() -> guarded.write("run.json", "mine".getBytes(UTF_8)));
      assertRefused(() -> guarded.create("run.json"));
      assertRefused(() -> guarded.append("run.json"));
      assertRefused(() -> guarded.copy("run.json", "copy", "any"));
      assertRefused(() -> guarded.moveFolder("run.json", "moved"));
      assertRefused(() -> guarded.delete("run.json"));

      assertThat(new String(guarded.read("run.json"), UTF_8)).isEqualTo("another's");
      assertThat(held.loss().orElseThrow()).contains(dir.toString(), "writes nothing more there");
      assertThat(told).hasValue(1);
      // who comes too late to be told hears of it at once
      held.whenLost(told::incrementAndGet);
      assertThat(told).hasValue(2);
    }
  }

  @Test
  void whoHasGivenItFreeWritesNothingMoreThereAndHasLostNothing() throws Exception {
    RunFolder folder = new RunFolder(dir.toUri().toString(), new Configuration());
    AtomicInteger told = new AtomicInteger();
    LeasedFolder held = new LeasedFolder(folder, "a");
    held.whenLost(told::incrementAndGet);
    RunFolder guarded = held.folder();
    held.close();
    try (LeasedFolder next = new LeasedFolder(folder, "b")) {
      assertRefused(() -> guarded.write("run.json", "mine".getBytes(UTF_8)));
      assertThat(held.isHeld()).isFalse();
      assertThat(held.loss()).isEmpty();
      held.close();
      assertThat(next.isHeld()).isTrue();
    }
    assertThat(told).hasValue(0);
  }

  private static void assertRefused(ThrowingCallable change) {
    assertThatThrownBy(change)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("writes nothing more");
  }
}
