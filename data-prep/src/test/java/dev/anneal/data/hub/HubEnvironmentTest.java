package dev.anneal.data.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.error.InvalidDataException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HubEnvironmentTest {
  @TempDir Path home;

  @Test
  void asksThePublicHubWithoutATokenWhereNothingIsSet() {
    assertThat(of(Map.of()))
        .isEqualTo(HubEnvironment.of(URI.create("https://huggingface.co"), null));
  }

  @Test
  void takesTheMirrorThatIsNamed() {
    assertThat(of(Map.of("HF_ENDPOINT", "https://mirror/hf/")).endpoint())
        .hasToString("https://mirror/hf");
    assertThat(HubEnvironment.of(Map.of("HF_ENDPOINT", "x"), "http://other", home).endpoint())
        .hasToString("http://other");
    assertThat(of(Map.of("HF_HUB_OFFLINE", "1")).offline()).isTrue();
  }

  @Test
  void findsTheTokenWhereTheHubsOwnClientDoes() throws IOException {
    write(home.resolve(".cache/huggingface/token"), "of the home\n");
    write(home.resolve("xdg/huggingface/token"), "of the caches");
    write(home.resolve("hf/token"), "of its folder");
    write(home.resolve("file"), " of a file ");
    String xdg = home.resolve("xdg").toString();
    String folder = home.resolve("hf").toString();
    String file = home.resolve("file").toString();

    assertThat(of(Map.of()).token()).isEqualTo("of the home");
    assertThat(of(Map.of("XDG_CACHE_HOME", xdg)).token()).isEqualTo("of the caches");
    assertThat(of(Map.of("XDG_CACHE_HOME", xdg, "HF_HOME", folder)).token())
        .isEqualTo("of its folder");
    assertThat(of(Map.of("HF_HOME", folder, "HF_TOKEN_PATH", file)).token()).isEqualTo("of a file");
    assertThat(of(Map.of("HF_TOKEN_PATH", "~/file")).token()).isEqualTo("of a file");
    assertThat(of(Map.of("HF_TOKEN", "first ", "HF_TOKEN_PATH", file)).token()).isEqualTo("first");
    assertThat(of(Map.of("HUGGING_FACE_HUB_TOKEN", "older")).token()).isEqualTo("older");
    assertThat(of(Map.of("HF_TOKEN", "x", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "TRUE")).token())
        .isNull();
  }

  @Test
  void keepsTheTokenToItself() {
    assertThat(of(Map.of("HF_TOKEN", "secret"))).asString().doesNotContain("secret");
  }

  @ParameterizedTest
  @CsvSource({
    "http://hub/,            http://plain:3128",
    "https://hub/,           http://secure",
    "https://a.excluded/,    ",
    "https://excluded/,      ",
    "https://notexcluded/,   http://secure",
    "https://b.dotted.org/,  ",
    "https://here:8443/,     ",
    "https://here/,          http://secure",
    "http://10.1.2.3/,       ",
    "http://10.2.2.3/,       http://plain:3128",
  })
  void goesThroughTheProxyOfAnAddress(String target, String proxy) {
    HubProxies proxies =
        of(Map.of(
                "HTTP_PROXY", "plain:3128",
                "https_proxy", "http://secure",
                "HTTPS_PROXY", "http://capital",
                "no_proxy", "excluded, .dotted.org,here:8443,10.1.0.0/16"))
            .proxies();
    assertThat(proxies.proxyOf(URI.create(target)).map(URI::toString).orElse(null))
        .isEqualTo(proxy);
  }

  @Test
  void goesThroughOneProxyForAllAndThroughNoneForAll() {
    URI hub = URI.create("https://hub");
    Map<String, String> all = Map.of("ALL_PROXY", "http://me:pass@all:1");
    assertThat(of(all).proxies().proxyOf(hub)).contains(URI.create("http://me:pass@all:1"));
    assertThat(of(all).proxies().authorization(URI.create("http://hub")))
        .contains("Basic bWU6cGFzcw==");
    assertThatThrownBy(() -> of(all).proxies().authorization(hub))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("disabledSchemes")
        .hasMessageNotContaining("pass@");
    assertThat(of(Map.of("ALL_PROXY", "http://all:1", "NO_PROXY", "*")).proxies().proxyOf(hub))
        .isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"socks5://proxy", "https://proxy", "http://", "a b"})
  void refusesAProxyThatCannotBeUsed(String proxy) {
    HubProxies proxies = of(Map.of("HTTPS_PROXY", proxy, "NO_PROXY", "near")).proxies();
    assertThatThrownBy(() -> proxies.forJava(URI.create("https://hub")))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageStartingWith("HTTPS_PROXY names no proxy that can be used");
    assertThat(proxies.proxyOf(URI.create("https://near"))).isEmpty();
    assertThat(proxies.proxyOf(URI.create("http://hub"))).isEmpty();
    assertThatThrownBy(
            () -> of(Map.of("all_proxy", proxy)).proxies().proxyOf(URI.create("http://hub")))
        .hasMessageStartingWith("all_proxy names no proxy that can be used");
  }

  @ParameterizedTest
  @CsvSource({
    "*.safetensors, model.safetensors original/x.safetensors",
    "original/, original/x.safetensors original/params.json",
    "*.json, config.json original/params.json",
    "?onfig.json, config.json",
    "[!o]*, config.json model.safetensors",
  })
  void choosesFilesAsTheHubsOwnClientDoes(String glob, String chosen) {
    List<HubFile> files =
        List.of(
                "config.json",
                "model.safetensors",
                "original/params.json",
                "original/x.safetensors")
            .stream()
            .map(path -> new HubFile(path, 1, null, "0"))
            .toList();
    HubSelection include = new HubSelection(List.of(glob), List.of());
    HubSelection exclude = new HubSelection(List.of(), List.of(glob));

    assertThat(include.of(files).stream().map(HubFile::path))
        .containsExactlyInAnyOrder(chosen.split(" "));
    assertThat(exclude.of(files).stream().map(HubFile::path))
        .doesNotContain(chosen.split(" "))
        .hasSize(files.size() - chosen.split(" ").length);
  }

  @Test
  void refusesAPatternThatIsNone() {
    HubSelection broken = new HubSelection(List.of("[z-a]"), List.of());
    assertThatThrownBy(() -> broken.of(List.of()))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageStartingWith("'[z-a]' is no pattern of file names");
  }

  private HubEnvironment of(Map<String, String> variables) {
    return HubEnvironment.of(variables, null, home);
  }

  private static void write(Path file, String text) throws IOException {
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }
}
