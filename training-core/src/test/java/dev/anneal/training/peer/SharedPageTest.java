package dev.anneal.training.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.peer.SharedPage.Word;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashSet;
import java.util.Set;
import org.bytedeco.javacpp.BytePointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SharedPageTest {
  private static final int RANKS = 9;

  @TempDir Path folder;

  @Test
  void whoeverHasItMappedSeesWhatIsWritten() throws IOException {
    SharedPage first = SharedPage.create(folder, RANKS);
    SharedPage second = SharedPage.open(first.file(), RANKS);
    first.unlink();
    assertThat(folder).isEmptyDirectory();
    first.set(Word.READY, 8, 7);
    second.set(Word.PULLED, 0, -5);
    assertThat(second.get(Word.READY, 8)).isEqualTo(7);
    assertThat(first.get(Word.PULLED, 0)).isEqualTo(-5);
    assertThat(second.isEnded()).isFalse();
    first.end();
    assertThat(second.isEnded()).isTrue();
  }

  @Test
  void numbersLieApart() throws IOException {
    SharedPage page = SharedPage.create(folder, RANKS);
    Set<Integer> lines = new HashSet<>();
    for (Word word : Word.values()) {
      for (int rank = 0; rank < RANKS; rank++) {
        int offset = page.offset(word, rank);
        assertThat(offset).isBetween(128, page.memory().capacity() - Integer.BYTES);
        assertThat(lines.add(offset / 64)).isTrue();
      }
    }
    page.set(Word.STATE, RANKS - 1, SharedPage.GONE);
    assertThat(page.isEnded()).isFalse();
    assertThat(page.anyIn(SharedPage.GONE)).isTrue();
    assertThat(page.anyIn(SharedPage.DONE)).isFalse();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1000, Integer.MAX_VALUE, Integer.MIN_VALUE, -1})
  void freesAllThatStreamsWaitFor(int number) throws IOException {
    SharedPage page = SharedPage.create(folder, 2);
    page.free(number);
    HostPeerDriver driver = new HostPeerDriver(0);
    long memory = new BytePointer(page.memory()).address();
    for (int rank = 0; rank < 2; rank++) {
      for (int near = -3; near <= 3; near++) {
        driver.on(null).await(memory + page.offset(Word.READY, rank), number + near);
        driver.on(null).await(memory + page.offset(Word.PULLED, rank), number + near);
      }
      assertThat(page.get(Word.STATE, rank)).isEqualTo(SharedPage.HERE);
    }
    assertThat(page.isEnded()).isFalse();
  }

  @Test
  void isReadByItsOwnerAlone() throws IOException {
    Path file = SharedPage.create(folder, 2).file();
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
  }

  @Test
  void refusesAnotherFile() throws IOException {
    Path file = SharedPage.create(folder, 2).file();
    Path copy = Files.copy(file, folder.resolve("anneal-peers-" + "0".repeat(32)));
    assertThatThrownBy(() -> SharedPage.open(copy, 2)).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> SharedPage.open(file, 200)).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> SharedPage.open(folder.resolve("none"), 2))
        .isInstanceOf(IOException.class);
  }
}
