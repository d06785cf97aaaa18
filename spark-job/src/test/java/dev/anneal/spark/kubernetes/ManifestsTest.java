package dev.anneal.spark.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.type.LogicalType;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.anneal.spark.kubernetes.SparkApplication.RestartType;
import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.util.List;
import java.util.Properties;
import org.junit.jupiter.api.Test;

/** The files of {@code deploy/kubernetes} say the same thing, and in the operator's words. */
class ManifestsTest {
  private static final ObjectMapper STRICT = strict();

  @Test
  void theApplicationHasFieldsOfTheOperator() throws Exception {
    SparkApplication application = read(Manifests.read("spark-application.yaml"));
    assertThat(application.apiVersion()).isEqualTo("sparkoperator.k8s.io/v1beta2");
    assertThat(application.kind()).isEqualTo("SparkApplication");
    // OnFailure would repeat a refused request
    assertThat(application.spec().restartPolicy().type()).isEqualTo(RestartType.Never);
  }

  @Test
  void misspeltFieldsAndNumbersInThePlaceOfTextAreFound() throws Exception {
    ObjectNode misspelt = (ObjectNode) Manifests.read("spark-application.yaml");
    misspelt.withObject("/spec/driver").put("gracePeriod", 1);
    assertThatThrownBy(() -> read(misspelt)).isInstanceOf(JsonMappingException.class);

    ObjectNode number = (ObjectNode) Manifests.read("spark-application.yaml");
    number.withObject("/spec/sparkConf").put("spark.executor.resource.gpu.amount", 8);
    assertThatThrownBy(() -> read(number)).isInstanceOf(JsonMappingException.class);
  }

  @Test
  void theApplicationSaysWhatThePropertiesSay() throws Exception {
    SparkApplication.Spec spec = read(Manifests.read("spark-application.yaml")).spec();
    Properties properties = properties("spark.conf", "spark-gpu.conf");
    assertThat(properties.stringPropertyNames()).containsAll(spec.sparkConf().keySet());
    spec.sparkConf()
        .forEach((key, value) -> assertThat(properties.getProperty(key)).as(key).isEqualTo(value));
    assertThat(spec.executor().instances() + "")
        .isEqualTo(properties.get("spark.executor.instances"));
    assertThat(spec.executor().cores() + "").isEqualTo(properties.get("spark.executor.cores"));
    assertThat(spec.executor().memory()).isEqualTo(properties.get("spark.executor.memory"));
    assertThat(spec.executor().memoryOverhead())
        .isEqualTo(properties.get("spark.executor.memoryOverhead"));
    assertThat(spec.executor().terminationGracePeriodSeconds() + "")
        .isEqualTo(properties.get("spark.kubernetes.executor.terminationGracePeriodSeconds"));
    assertThat(spec.image()).isEqualTo(properties.get("spark.kubernetes.container.image"));
  }

  @Test
  void theLibrariesThatAreNamedAreThoseOfTheImage() throws Exception {
    String image = "spark.kubernetes.container.image";
    for (String classPath :
        List.of("spark.driver.extraClassPath", "spark.executor.extraClassPath")) {
      Properties cpus = properties("spark.conf");
      assertThat(cpus.getProperty(classPath)).isEqualTo("/opt/anneal/natives/cpu/*");
      assertThat(cpus.getProperty(image)).doesNotEndWith("-gpu");
      Properties gpus = properties("spark.conf", "spark-gpu.conf");
      assertThat(gpus.getProperty(classPath)).isEqualTo("/opt/anneal/natives/gpu/*");
      assertThat(gpus.getProperty(image)).isEqualTo(cpus.getProperty(image) + "-gpu");
    }
  }

  @Test
  void allDriversHaveTheSameTimeToEnd() throws Exception {
    long grace =
        read(Manifests.read("spark-application.yaml"))
            .spec()
            .driver()
            .terminationGracePeriodSeconds();
    assertThat(
            Manifests.read("job.yaml")
                .at("/spec/template/spec/terminationGracePeriodSeconds")
                .asLong())
        .isEqualTo(grace);
    assertThat(
            Manifests.read("driver-template.yaml")
                .at("/spec/terminationGracePeriodSeconds")
                .asLong())
        .isEqualTo(grace);
  }

  @Test
  void aJobIsNotRepeatedForARefusedRequest() throws Exception {
    JsonNode rule = Manifests.read("job.yaml").at("/spec/podFailurePolicy/rules/0");
    assertThat(rule.path("action").asText()).isEqualTo("FailJob");
    assertThat(rule.at("/onExitCodes/values/0").asInt()).isEqualTo(2);
    assertThat(rule.at("/onExitCodes/containerName").asText())
        .isEqualTo(Manifests.read("job.yaml").at("/spec/template/spec/containers/0/name").asText());
  }

  private static SparkApplication read(JsonNode manifest) throws IOException {
    return STRICT.treeToValue(manifest, SparkApplication.class);
  }

  private static Properties properties(String... files) throws IOException {
    Properties properties = new Properties();
    for (String file : files) {
      try (Reader text = new StringReader(Manifests.text(file))) {
        properties.load(text);
      }
    }
    return properties;
  }

  private static ObjectMapper strict() {
    YAMLMapper mapper = new YAMLMapper();
    mapper
        .coercionConfigFor(LogicalType.Textual)
        .setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
        .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail);
    return mapper;
  }
}
