package dev.anneal.spark.s3;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.s3.StoreRequest.Fate;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files on a real S3 server, seen from the requests that they make. */
class StoreStorageIT {
  private static final int MIB = 1 << 20;
  private static final byte[] CONTENT = new byte[70 * MIB];

  @TempDir static Path folder;

  private static S3Server server;
  private static FaultyStore store;
  private static Storage storage;

  @BeforeAll
  static void start() throws Exception {
    server = S3Server.start(folder);
    store = FaultyStore.before(server);
    storage = new Storage(StoreConfiguration.hadoop(store.endpoint()));
    new Random(1).nextBytes(CONTENT);
    storage.write(S3Server.uri("large"), out -> out.write(CONTENT));
  }

  @AfterAll
  static void stop() throws IOException {
    store.close();
    server.close();
  }

  @BeforeEach
  void forget() {
    store.failing(0);
    store.breaking(0);
    store.forget();
  }

  @Test
  void aSmallFileIsOneRequest() throws Exception {
    storage.write(S3Server.uri("small/file"), out -> out.write(7));
    assertThat(operations()).isEqualTo(Map.of("PutObject", 1L));

    store.forget();
    try (InputStream in = storage.open(S3Server.uri("small/file"))) {
      assertThat(in.readAllBytes()).containsExactly(7);
    }
    assertThat(operations()).isEqualTo(Map.of("HeadObject", 1L, "GetObject", 1L));
  }

  @Test
  void aLargeFileGoesInPartsAndComesBackWhole() throws Exception {
    storage.write(S3Server.uri("parts"), out -> out.write(CONTENT));
    assertThat(operations())
        .isEqualTo(
            Map.of("CreateMultipartUpload", 1L, "UploadPart", 3L, "CompleteMultipartUpload", 1L));
    try (InputStream in = storage.open(S3Server.uri("parts"))) {
      assertThat(in.readAllBytes()).isEqualTo(CONTENT);
    }
  }

  @Test
  void aFileThatFailsMidwayIsNotThere() throws Exception {
    assertThatThrownBy(
            () ->
                storage.write(
                    S3Server.uri("half"),
                    out -> {
                      out.write(CONTENT);
                      throw new IOException("the rank was lost");
                    }))
        .hasMessage("the rank was lost");
    assertThat(operations()).containsKey("AbortMultipartUpload");
    assertThat(operations()).doesNotContainKeys("CompleteMultipartUpload", "PutObject");
    assertThat(storage.exists(S3Server.uri("half"))).isFalse();
  }

  @Test
  void aReadAsksForItsBytesInOneRequest() throws Exception {
    try (SeekableByteChannel channel = storage.openChannel(S3Server.uri("large"))) {
      for (int offset : List.of(50 * MIB, 3, 20 * MIB)) {
        store.forget();
        ByteBuffer bytes = ByteBuffer.allocateDirect(5 * MIB);
        channel.position(offset).read(bytes);
        assertThat(bytes.remaining()).isZero();
        assertThat(bytes.flip()).isEqualTo(ByteBuffer.wrap(CONTENT, offset, 5 * MIB));
        assertThat(store.requests())
            .singleElement()
            .satisfies(request -> assertThat(request.rangeBytes()).isEqualTo(5 * MIB));
      }
    }
  }

  @Test
  void bytesAreTheSameOnAFailingStore() throws Exception {
    store.failing(0.1);
    store.breaking(0.1);
    storage.write(S3Server.uri("hard"), out -> out.write(CONTENT));
    ByteBuffer bytes = ByteBuffer.allocate(MIB);
    try (SeekableByteChannel channel = storage.openChannel(S3Server.uri("hard"))) {
      for (int offset = 0; offset < CONTENT.length; offset += MIB) {
        channel.position(offset).read(bytes.clear());
        assertThat(bytes.flip()).isEqualTo(ByteBuffer.wrap(CONTENT, offset, MIB));
      }
    }
    assertThat(store.fates()).containsKeys(Fate.THROTTLED, Fate.BROKEN);
  }

  private static Map<String, Long> operations() {
    return store.operations(any -> true);
  }
}
