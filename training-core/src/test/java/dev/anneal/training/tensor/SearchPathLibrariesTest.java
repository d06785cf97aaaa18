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
    Path empty = Files.createDirectory(folder.resolve("empty"));
    Path first = withCudnn("first");
    Path second = withCudnn("second");

    assertThat(SearchPathLibraries.folder("%s::%s:%s".formatted(empty, first, second)))
        .contains(first);
    assertThat(SearchPathLibraries.folder(empty.toString())).isEmpty();
    assertThat(SearchPathLibraries.folder("")).isEmpty();
    assertThat(SearchPathLibraries.folder(null)).isEmpty();
  }

  private Path withCudnn(String name) throws IOException {
    Path made = Files.createDirectory(folder.resolve(name));
    Files.createFile(made.resolve("libcudnn.so.9"));
    return made;
  }
}
