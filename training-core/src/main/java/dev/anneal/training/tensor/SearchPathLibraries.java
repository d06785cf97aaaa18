package dev.anneal.training.tensor;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/**
 * cuDNN of a folder of {@code LD_LIBRARY_PATH} comes before that of the system, as it does for
 * every program: JavaCPP looks into the system's folders first, where an older one may lie.
 */
final class SearchPathLibraries {
  /** All its parts, which are of one version; the first loads the others when it needs them. */
  static final List<String> CUDNN =
      List.of(
          "libcudnn.so.9",
          "libcudnn_graph.so.9",
          "libcudnn_engines_precompiled.so.9",
          "libcudnn_engines_runtime_compiled.so.9",
          "libcudnn_heuristic.so.9",
          "libcudnn_ops.so.9",
          "libcudnn_adv.so.9",
          "libcudnn_cnn.so.9");

  private static final String BUNDLED = "org/bytedeco/cuda/linux-x86_64/libcudnn.so.9";

  private SearchPathLibraries() {}

  /** Loads them, before libtorch is; what cannot be loaded is left to JavaCPP. */
  static void load() {
    if (SearchPathLibraries.class.getClassLoader().getResource(BUNDLED) != null) {
      // jars that bring CUDA come first
      return;
    }
    Optional<Path> folder = folder(System.getenv("LD_LIBRARY_PATH"));
    if (folder.isEmpty()) {
      return;
    }
    Loader.load(Pointer.class);
    for (String name : CUDNN) {
      try {
        Loader.loadGlobal(folder.get().resolve(name).toString());
      } catch (UnsatisfiedLinkError e) {
        return;
      }
    }
  }

  /**
   * The first folder with all of cuDNN.
   *
   * @param searchPath folders with colons between them, or {@code null}
   */
  static Optional<Path> folder(String searchPath) {
    return Arrays.stream(searchPath == null ? new String[0] : searchPath.split(":"))
        .filter(folder -> !folder.isEmpty())
        .map(Path::of)
        .filter(folder -> CUDNN.stream().allMatch(name -> Files.exists(folder.resolve(name))))
        .findFirst();
  }
}
