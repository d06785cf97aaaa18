package dev.anneal.spark.loader;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.data.prep.PrepJob;
import dev.anneal.data.task.TaskResults;
import dev.anneal.spark.Anneal;
import dev.anneal.spark.sparkui.RunEvent;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.rpc.RpcCallContext;
import org.apache.spark.rpc.RpcEndpointRef;
import org.apache.spark.scheduler.SparkListenerEvent;
import org.junit.jupiter.api.Test;

/**
 * What Spark reads with its own class loader consists of the JVM's own types, because that loader
 * does not know jars that came with {@code --jars}.
 */
class OwnTypesTest {
  /** The one place where elements are handed over: as bytes. */
  private static final String AS_BYTES = TaskResults.class.getName().replace('.', '/');

  /** Spark's Jackson writes it; who replays an event log without it passes it over. */
  private static final String LOGGED =
      RunEvent.class.getName().replace('.', '/')
          + " is a org/apache/spark/scheduler/SparkListenerEvent";

  @Test
  void sparkReadsNoneOfOurs() throws IOException {
    List<String> found = new ArrayList<>();
    for (Class<?> of : List.of(PrepJob.class, Anneal.class)) {
      found.addAll(inAllClassesBeside(of));
    }
    assertThat(found.stream().filter(line -> !line.startsWith(AS_BYTES + ".")))
        .containsExactly(LOGGED);
    // the other exception is used, and so the rule sees what it is to see
    assertThat(found).anyMatch(line -> line.startsWith(AS_BYTES + "."));
  }

  @Test
  void everyWayOfGivingSparkOursIsFound() throws IOException {
    assertThat(in(Bad.class))
        .satisfiesExactlyInAnyOrder(
            line -> assertThat(line).contains("collected: JavaRDD.collect of elements"),
            line -> assertThat(line).contains("reduced: JavaRDD.reduce of elements"),
            line -> assertThat(line).contains("sent: RpcEndpointRef.send of", "$Ours"),
            line -> assertThat(line).contains("sentAsObject: RpcEndpointRef.send of java/lang/Obj"),
            line -> assertThat(line).contains("asked: PluginContext.ask of", "$Ours"),
            line -> assertThat(line).contains("replying: RpcCallContext.reply of", "$Ours"));
    assertThat(in(BadEvent.class)).singleElement().asString().contains("SparkListenerEvent");
    assertThat(in(Good.class)).isEmpty();
  }

  private static List<String> inAllClassesBeside(Class<?> of) throws IOException {
    Path place = Path.of(URI.create(of.getProtectionDomain().getCodeSource().getLocation() + ""));
    if (Files.isDirectory(place)) {
      return inAllClasses(place);
    }
    try (FileSystem jar = FileSystems.newFileSystem(place, Map.of())) {
      return inAllClasses(jar.getPath("/dev"));
    }
  }

  private static List<String> inAllClasses(Path folder) throws IOException {
    List<String> found = new ArrayList<>();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".class")).toList()) {
        try (InputStream in = Files.newInputStream(file)) {
          found.addAll(OwnTypes.in(in));
        }
      }
    }
    return found;
  }

  private static List<String> in(Class<?> type) throws IOException {
    String name = type.getName();
    try (InputStream in =
        type.getResourceAsStream(name.substring(name.lastIndexOf('.') + 1) + ".class")) {
      return OwnTypes.in(in);
    }
  }

  record Ours(int number) implements Serializable {}

  private static final class BadEvent implements SparkListenerEvent {}

  /** Every method gives Spark something that its loader does not know. */
  static final class Bad {
    static List<Ours> collected(JavaRDD<Ours> rdd) {
      return rdd.collect();
    }

    static Ours reduced(JavaRDD<Ours> rdd) {
      return rdd.reduce((one, other) -> one);
    }

    static void sent(RpcEndpointRef driver) {
      driver.send(new Ours(1));
    }

    static void sentAsObject(RpcEndpointRef driver, Object message) {
      driver.send(message);
    }

    static Object asked(PluginContext driver) throws Exception {
      return driver.ask(new Ours(1));
    }

    static Consumer<Ours> replying(RpcCallContext context) {
      return context::reply;
    }
  }

  /** What Bad does, so that Spark can read it. */
  static final class Good {
    static List<Ours> collected(JavaRDD<Ours> rdd) {
      return TaskResults.collect(rdd);
    }

    static long counted(JavaRDD<Ours> rdd) {
      return rdd.count();
    }

    static void sent(RpcEndpointRef driver, byte[] message) {
      driver.send(message);
    }

    static Consumer<String> replying(RpcCallContext context) {
      return context::reply;
    }
  }
}
