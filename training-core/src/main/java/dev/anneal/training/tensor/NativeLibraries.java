package dev.anneal.training.tensor;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;

/** Loads libtorch once per JVM, one JVM of a host at a time. */
public final class NativeLibraries {
  static {
    JavaCppSettings.apply();
  }

  private NativeLibraries() {}

  /**
   * Whether the class path has libtorch for a platform.
   *
   * @param platform in JavaCPP's words, such as {@code linux-x86_64-gpu}
   */
  public static boolean areFor(String platform) {
    return NativeLibraries.class
            .getClassLoader()
            .getResource("org/bytedeco/pytorch/%s/libjnitorch.so".formatted(platform))
        != null;
  }

  /**
   * Unpacks libtorch into JavaCPP's cache where it is not there yet, and loads it.
   *
   * @throws UncheckedIOException if the cache cannot be written
   * @throws UnsatisfiedLinkError naming the library that is missing
   */
  public static void load() {
    Holder.FAILURE.ifPresent(
        e -> {
          throw unwritable(e);
        });
  }

  /**
   * Likewise for further libraries of JavaCPP's presets.
   *
   * @param presets their global classes
   */
  public static void load(Class<?>... presets) {
    unpackAndLoad(presets)
        .ifPresent(
            e -> {
              throw unwritable(e);
            });
  }

  private static UncheckedIOException unwritable(IOException e) {
    return new UncheckedIOException(
        "The native libraries cannot be unpacked (%s): name a folder that can be written with --conf spark.driver.extraJavaOptions=-Dorg.bytedeco.javacpp.cachedir=DIR, for executors in spark.executor.extraJavaOptions."
            .formatted(e),
        e);
  }

  private static synchronized Optional<IOException> unpackAndLoad(Class<?>... presets) {
    try {
      Path cache = Loader.getCacheDir().toPath();
      Files.createDirectories(cache);
      // several JVMs on a host would unpack over each other
      try (FileChannel channel =
              FileChannel.open(
                  cache.resolve("anneal.lock"),
                  StandardOpenOption.CREATE,
                  StandardOpenOption.WRITE);
          FileLock lock = channel.lock()) {
        for (Class<?> preset : presets) {
          if (preset.equals(torch.class) && areFor("linux-x86_64-gpu")) {
            SearchPathLibraries.load();
          }
          Loader.load(preset);
        }
      }
      return Optional.empty();
    } catch (IOException e) {
      return Optional.of(e);
    }
  }

  /** The class initializer runs once, and other threads wait for it. */
  private static final class Holder {
    private static final Optional<IOException> FAILURE = unpackAndLoad(torch.class);
  }
}
