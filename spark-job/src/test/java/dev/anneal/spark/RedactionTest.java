package dev.anneal.spark;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RedactionTest {
  @Test
  void masksFurtherSecretsToo() {
    Redaction redaction =
        Redaction.of(new SparkConf(false), new Configuration(false), Map.of("A_TOKEN", "abcd1234"))
            .and(List.of("https://h/services/T0/B0", "/services/T0/B0"));
    assertThat(redaction.mask("POST https://h/services/T0/B0 and h/services/T0/B0 by abcd1234"))
        .isEqualTo("POST ********* and h********* by *********");
  }

  private static final String KEY = "AKIAIOSFODNN7EXAMPLE";
  private static final String SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  private static final String HF_TOKEN = "hf_abcdefGHIJKL0123456789";

  @Test
  void masksTheValuesOfSecretSettings() {
    Configuration hadoop = new Configuration(false);
    hadoop.set("fs.s3a.access.key", KEY);
    hadoop.set("fs.s3a.bucket.mine.secret.key", SECRET);
    SparkConf spark = new SparkConf(false).set("spark.executorEnv.HF_TOKEN", HF_TOKEN);
    Redaction redaction =
        Redaction.of(spark, hadoop, Map.of("AWS_SESSION_TOKEN", "FwoGZXIvYXdzEBYaDH7+/=="));

    String said =
        "403 for %s with %s, %s and FwoGZXIvYXdzEBYaDH7+/==".formatted(KEY, SECRET, HF_TOKEN);
    assertThat(redaction.mask(said))
        .isEqualTo("403 for ********* with *********, ********* and *********");
    assertThat(redaction.mask(null)).isNull();
  }

  @Test
  void masksWhatSparkIsToldToRedact() {
    SparkConf spark =
        new SparkConf(false)
            .set("spark.redaction.regex", "(?i)bucket")
            .set("spark.hadoop.my.bucket", "the-42-bucket");
    Redaction redaction = Redaction.of(spark, new Configuration(false), Map.of());
    assertThat(redaction.mask("in the-42-bucket")).isEqualTo("in *********");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "hf_abcdefghijklmnopqrstuvwxyzabcdefgh",
        "/slash+in/front",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "8675309",
        "hunter",
        "with (brackets) and $ign",
      })
  void masksWhatIsSecretByItsNameWhateverItLooksLike(String secret) {
    Redaction redaction =
        Redaction.of(
            new SparkConf(false), new Configuration(false), Map.of("STORE_PASSWORD", secret));
    assertThat(redaction.mask("refused '" + secret + "'.")).isEqualTo("refused '*********'.");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "DB_PASSWORD_ADMIN",
        "MY_TOKEN_COUNT1",
        "fs.azure.account.key.myaccount",
        "fs.azure.account.key.profile",
        "fs.s3a.encryption.key",
        "fs.s3a.server-side-encryption.key",
        "fs.azure.sas.container.account.blob.core.windows.net",
        "MYSQL_PWD",
        "SERVICE_CREDENTIALS",
        "AZURE_STORAGE_CONNECTION_STRING",
      })
  void masksWhateverANameOfASecretEndsIn(String name) {
    String secret = "x0-${y}/z=";
    Redaction redaction =
        Redaction.of(new SparkConf(false), new Configuration(false), Map.of(name, secret));
    assertThat(redaction.mask("with " + secret + " it")).isEqualTo("with ********* it");
  }

  @Test
  void masksWhatASettingRefersToAsItIsGivenOut() {
    Configuration hadoop = new Configuration(false);
    hadoop.set("half", "wJalrXUtn");
    hadoop.set("fs.s3a.secret.key", "${half}FEMI");
    Redaction redaction = Redaction.of(new SparkConf(false), hadoop, Map.of());
    assertThat(redaction.mask("key wJalrXUtnFEMI, ${half}FEMI"))
        .isEqualTo("key *********, *********");
  }

  @Test
  void aFailureThatAProgramGetsHasNoSecretInItsCausesEither() {
    Redaction redaction =
        Redaction.of(
            new SparkConf(false), new Configuration(false), Map.of("AWS_SECRET_KEY", SECRET));
    RuntimeException failure =
        FailureSentence.failure(
            new IllegalStateException("no", new IllegalArgumentException("of " + SECRET)),
            redaction);
    assertThat(FailureSentence.trace(failure))
        .contains("IllegalArgumentException: of *********", "JobFailedException: no")
        .doesNotContain(SECRET);
    RuntimeException refused = new BadRequestException("so", null);
    assertThat(FailureSentence.failure(refused, redaction)).isSameAs(refused);
  }

  @Test
  void aLinkageErrorIsToldByWhatLiesAtItsBottom() {
    Throwable error = new ExceptionInInitializerError(new IllegalStateException("no room"));
    assertThat(
            FailureSentence.failure(
                error, Redaction.of(new SparkConf(false), new Configuration(false), Map.of())))
        .hasMessage("java.lang.IllegalStateException: no room");
  }

  @Test
  void aWordIsMaskedWhereItStandsAlone() {
    Redaction redaction =
        Redaction.of(new SparkConf(false), new Configuration(false), Map.of("API_KEY", "train"));
    assertThat(redaction.mask("train, training")).isEqualTo("*********, training");
  }

  @Test
  void masksNothingThatHadoopSaysItself() {
    Configuration hadoop = new Configuration(true);
    String said = "simple rsa all kms DIGEST-MD5 none default /etc/secret false 0123";
    assertThat(Redaction.of(new SparkConf(false), hadoop, Map.of()).mask(said)).isEqualTo(said);
  }

  @ParameterizedTest
  @CsvSource({
    "hadoop.security.token.service.use_ip, true",
    "yarn.resourcemanager.delegation.token.renew-interval, 86400000",
    "fs.s3a.token.provider, org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    "hadoop.http.authentication.signature.secret.file, /home/me/secret",
    "spark.kubernetes.authenticate.oauthTokenFile, /home/me/token",
    "fs.s3a.aws.credentials.provider, org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    "ANNEAL_TOKENIZER_NAME, hf-internal-tokenizer",
  })
  void leavesWordsNumbersClassesAndPlaces(String name, String value) {
    Configuration hadoop = new Configuration(false);
    hadoop.set(name, value);
    Redaction redaction = Redaction.of(new SparkConf(false), hadoop, Map.of());
    assertThat(redaction.mask("it is " + value)).isEqualTo("it is " + value);
  }

  @ParameterizedTest
  @CsvSource({
    "cannot read s3a://me:geheim@bucket/x, cannot read s3a://*********@bucket/x",
    "https://h/x?a=1&X-Amz-Signature=0a1b2c&b=2, https://h/x?a=1&X-Amz-Signature=*********&b=2",
    "Authorization: Bearer abcdefghijk, Authorization: Bearer *********",
    "hdfs://node:8020/user/a@b, hdfs://node:8020/user/a@b",
    "abfs://container@account.dfs.core.windows.net/x, abfs://container@account.dfs.core.windows.net/x",
  })
  void masksWhatUrisCarry(String text, String expected) {
    Redaction redaction = Redaction.of(new SparkConf(false), new Configuration(false), Map.of());
    assertThat(redaction.mask(text)).isEqualTo(expected);
  }

  @Test
  void theCommandLineSaysNoSecret() {
    System.setProperty("spark.hadoop.fs.s3a.secret.key", SECRET);
    try {
      String said = refused("run", "--debug", "--config", "no-" + SECRET + ".yaml");
      assertThat(said).contains("no-*********.yaml").doesNotContain(SECRET);
    } finally {
      System.clearProperty("spark.hadoop.fs.s3a.secret.key");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"model.path", "model.tokenizer", "data.source", "lora.init_from", "output.path"})
  void refusesLocationsThatCarryKeys(String key) {
    assertThat(refused("run", "--set", key + "=s3a://me:" + SECRET + "@bucket/x"))
        .startsWith("anneal: " + key + " holds a user name or a key in front of its host")
        .doesNotContain(SECRET);
  }

  private static String refused(String... args) {
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    PrintStream out = new PrintStream(new ByteArrayOutputStream(), true, UTF_8);
    assertThat(Anneal.execute(args, out, new PrintStream(err, true, UTF_8))).isEqualTo(2);
    return err.toString(UTF_8);
  }
}
