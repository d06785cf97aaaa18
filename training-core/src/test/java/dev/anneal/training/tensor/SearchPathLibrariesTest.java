package dev.anneal.training.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SearchPathLibrariesTest {
  @TempDir private Path folder;

  @Test
  void theFirstFolderThatHasCudnnIsTaken() throws IOException {
    Path without = Files.createDirectory(folder.resolve("without"));
    Files.createFile(without.resolve("libcudnn.so.9"));
    Path first = withCudnn("first");
    Path second = withCudnn("second");

    assertThat(SearchPathLibraries.folder("%s::%s:%s".formatted(without, first, second)))
        .contains(first);
    assertThat(SearchPathLibraries.folder(without.toString())).isEmpty();
    assertThat(SearchPathLibraries.folder("")).isEmpty();
    assertThat(SearchPathLibraries.folder(null)).isEmpty();
  }

  private Path withCudnn(String name) throws IOException {
    Path made = Files.createDirectory(folder.resolve(name));
    for (String library : SearchPathLibraries.CUDNN) {
      Files.createFile(made.resolve(library));
    }
    return made;
  }
}
