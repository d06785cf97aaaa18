package dev.anneal.spark.storage;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import org.junit.jupiter.api.Test;

/** The messages are those that S3A 3.4.2 gave. */
class StoreRefusalTest {

  @Test
  void tellsCredentialsThatHaveExpiredAlsoFromTheTextOfAnExecutor() {
    String told =
        "Rank 0 on node1 failed: Writing Object on run/adapter: software.amazon.awssdk.services.s3.model.S3Exception: The provided token has expired. (Service: S3, Status Code: 400, Request ID: null)";
    assertThat(StoreRefusal.sentence(new RuntimeException(told)))
        .hasValueSatisfying(sentence -> assertThat(sentence).contains("have expired", "new ones"));
    assertThat(StoreRefusal.sentence(new IllegalStateException("a task", new IOException(told))))
        .isPresent();
  }

  @Test
  void tellsThatThereAreNone() {
    Exception refused =
        new AccessDeniedException(
            "s3a://runs/run.lock",
            null,
            "org.apache.hadoop.fs.s3a.auth.NoAuthWithAWSException: No AWS Credentials provided by TemporaryAWSCredentialsProvider");
    assertThat(StoreRefusal.sentence(refused))
        .hasValueSatisfying(sentence -> assertThat(sentence).contains("no credentials"));
  }

  @Test
  void namesThePlaceThatIsForbidden() {
    Exception refused =
        new AccessDeniedException(
            "s3a://runs/one/run.json",
            null,
            "getFileStatus on s3a://runs/one/run.json: software.amazon.awssdk.services.s3.model.S3Exception: null (Service: S3, Status Code: 403, Request ID: 1):403 Forbidden");
    assertThat(StoreRefusal.sentence(new IllegalStateException("looking", refused)))
        .hasValue(
            "The object store refuses access to s3a://runs/one/run.json (403 Forbidden): correct the credentials, or let them read and write there.");
  }

  /** As the soak met it: the answer to a HEAD has no body. */
  @Test
  void knowsCredentialsThatExpiredBeforeALook() {
    assertThat(
            StoreRefusal.sentence(
                "step 682, 's3a://runs/part-00000.arrow' cannot be read (getFileStatus on s3a://runs/part-00000.arrow: software.amazon.awssdk.services.s3.model.S3Exception: Bad Request (Service: S3, Status Code: 400, Request ID: null):null"))
        .hasValueSatisfying(
            sentence ->
                assertThat(sentence)
                    .contains("a look at s3a://runs/part-00000.arrow (400", "have expired"));
  }

  /** As the library of Spark 3.5 says it. */
  @Test
  void knowsTheFirstVersionOfTheLibrary() {
    assertThat(
            StoreRefusal.sentence(
                "getFileStatus on s3a://runs/one: com.amazonaws.services.s3.model.AmazonS3Exception: Forbidden (Service: Amazon S3; Status Code: 403; Error Code: 403 Forbidden; Request ID: 1)"))
        .hasValueSatisfying(
            sentence -> assertThat(sentence).contains("refuses access to s3a://runs/one (403"));
  }

  @Test
  void isSilentAboutOtherFailures() {
    assertThat(StoreRefusal.sentence(new IOException("No space left on device"))).isEmpty();
  }
}
