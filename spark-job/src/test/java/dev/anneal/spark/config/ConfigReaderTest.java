package dev.anneal.spark.config;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import dev.anneal.spark.BadRequestException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URLEncoder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigReaderTest {
  private static final String YAML = "lora: {r: 8}\n";

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"", "file:", "file://", "local:", "local://"})
  void readsAFileOfThisMachine(String scheme) throws IOException {
    Path file = Files.writeString(folder.resolve("my.yaml"), YAML);
    ConfigFile read = reader(new SparkConf(false)).read(scheme + file);
    assertThat(read).isEqualTo(new ConfigFile(scheme + file, YAML, Optional.of(folder.toString())));
  }

  @Test
  void readsAHadoopUri() throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress(loopback(), 0), 0);
    server.createContext(
        "/conf/my.yaml",
        exchange -> {
          exchange.sendResponseHeaders(200, YAML.length());
          exchange.getResponseBody().write(YAML.getBytes(UTF_8));
          exchange.close();
        });
    server.start();
    try {
      String place = "http://127.0.0.1:" + server.getAddress().getPort() + "/conf";
      assertThat(reader(new SparkConf(false)).read(place + "/my.yaml"))
          .isEqualTo(new ConfigFile(place + "/my.yaml", YAML, Optional.of(place)));
      assertThatThrownBy(() -> reader(new SparkConf(false)).read(place + "/other.yaml"))
          .isInstanceOf(BadRequestException.class)
          .hasMessageStartingWith("The configuration " + place + "/other.yaml cannot be read (")
          .hasMessageEndingWith("): check --config.");
    } finally {
      server.stop(0);
    }
  }

  @Test
  void doesNotWaitForAStoreThatDoesNotAnswer() throws IOException {
    try (ServerSocket silent = new ServerSocket(0, 1, loopback())) {
      String place = "http://127.0.0.1:" + silent.getLocalPort() + "/my.yaml";
      ConfigReader reader = new ConfigReader(context(new SparkConf(false)), Duration.ofSeconds(1));
      assertThatThrownBy(() -> reader.read(place))
          .isInstanceOf(BadRequestException.class)
          .hasMessage(
              "The configuration %s has not come within 1 s: check --config, and that the driver reaches it."
                  .formatted(place));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"nosuch://host/x.yaml", "s3a://", "hdfs:///"})
  void saysThatAUriCannotBeRead(String uri) {
    assertThatThrownBy(() -> reader(new SparkConf(false)).read(uri))
        .isInstanceOf(BadRequestException.class)
        .hasMessageStartingWith("The configuration " + uri + " cannot be read (");
  }

  @Test
  void refusesASecretInTheUri() {
    assertThatThrownBy(() -> reader(new SparkConf(false)).read("s3a://key:secret@bucket/x.yaml"))
        .isInstanceOf(BadRequestException.class)
        .hasMessageStartingWith("--config holds a user name or a key in front of its host:");
  }

  @Test
  void refusesAFileWithoutAnEndAndOneThatIsTooLarge() throws IOException {
    assertThatThrownBy(() -> reader(new SparkConf(false)).read("/dev/zero"))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("it is no regular file");
    Path large = Files.write(folder.resolve("large.yaml"), new byte[(1 << 20) + 1]);
    assertThatThrownBy(() -> reader(new SparkConf(false)).read(large.toString()))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("has 1048577 bytes, and 1048576 are allowed");
  }

  @Test
  void findsWhatHasBeenSentIntoTheFolderOfADriverInTheCluster() throws IOException {
    Files.writeString(folder.resolve("my.yaml"), YAML);
    SparkConf cluster = new SparkConf(false).set("spark.submit.deployMode", "cluster");
    assertThat(reader(cluster).read("/home/me/conf/my.yaml").text()).isEqualTo(YAML);
    assertThatThrownBy(() -> reader(new SparkConf(false)).read("/home/me/conf/my.yaml"))
        .hasMessage("The configuration /home/me/conf/my.yaml cannot be read: check --config.");
  }

  @Test
  void findsWhatSparkHasBroughtAlong() throws IOException {
    Path file = Files.writeString(folder.resolve("brought.yaml"), YAML);
    SparkConf conf =
        new SparkConf(false)
            .setMaster("local[1]")
            .setAppName("config")
            .set("spark.ui.enabled", "false")
            .set("spark.driver.bindAddress", "127.0.0.1")
            .set("spark.driver.host", "127.0.0.1")
            .set("spark.files", file.toString());
    SparkContext spark = SparkContext.getOrCreate(conf);
    try {
      assertThat(reader(conf).read("/home/me/brought.yaml").text()).isEqualTo(YAML);
    } finally {
      spark.stop();
    }
  }

  @Test
  void readsAFileThatComesWithinTheCommand() {
    String name = "/home/you and me/50%+/my.yaml";
    ConfigFile read =
        reader(new SparkConf(false))
            .read(
                "data:application/yaml;name=%s;base64,%s"
                    .formatted(
                        URLEncoder.encode(name, UTF_8).replace("+", "%20"),
                        Base64.getEncoder().encodeToString(YAML.getBytes(UTF_8))));
    assertThat(read).isEqualTo(new ConfigFile(name, YAML, Optional.of("/home/you and me/50%+")));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "data:",
        "data:application/yaml;name=x;base64,***",
        "data:application/yaml;name=%zz;base64,YQ==",
        "data:application/yaml;name=x;base64,YQ=",
        "data:application/yaml;name=x;base64,/w=="
      })
  void refusesAnotherContentWithinTheCommand(String location) {
    assertThatThrownBy(() -> reader(new SparkConf(false)).read(location))
        .isInstanceOf(BadRequestException.class)
        .hasMessageStartingWith("--config begins with data: but is not data:application/yaml;");
  }

  private ConfigReader reader(SparkConf spark) {
    return new ConfigReader(context(spark));
  }

  private ConfigContext context(SparkConf spark) {
    return new ConfigContext(folder, spark, Configuration::new, name -> null);
  }

  private static InetAddress loopback() {
    return InetAddress.getLoopbackAddress();
  }
}
