package dev.anneal.data.hub;

import dev.anneal.data.error.InvalidDataException;
import java.io.IOException;
import java.io.Serializable;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;

/**
 * How this process reaches the hub, by the environment variables that the hub's own client goes by.
 * It travels to executors, whose environment is another.
 *
 * @param endpoint without a slash at its end
 * @param token may be null: then only what is public can be read
 * @param offline whether the hub must not be asked
 * @see <a
 *     href="https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables">The
 *     variables</a>
 */
public record HubEnvironment(URI endpoint, String token, HubProxies proxies, boolean offline)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  private static final String DEFAULT_ENDPOINT = "https://huggingface.co";
  private static final Set<String> TRUE = Set.of("1", "on", "yes", "true");

  /** A hub that is asked directly. */
  public static HubEnvironment of(URI endpoint, String token) {
    return new HubEnvironment(endpoint, token, HubProxies.NONE, false);
  }

  /**
   * That of this process.
   *
   * @param conf may name another hub
   * @throws InvalidDataException if what is set is no address
   */
  public static HubEnvironment ofProcess(Configuration conf) {
    return of(
        System.getenv(),
        conf.get(HubSource.ENDPOINT_KEY),
        Path.of(System.getProperty("user.home")));
  }

  /**
   * That of some variables.
   *
   * @param configured a hub that goes before that of the variables; may be null
   * @param home folder of the user
   */
  static HubEnvironment of(Map<String, String> variables, String configured, Path home) {
    String endpoint =
        configured != null ? configured : value(variables, "HF_ENDPOINT", DEFAULT_ENDPOINT);
    return new HubEnvironment(
        address(endpoint),
        token(variables, home),
        HubProxies.of(variables),
        isTrue(variables, "HF_HUB_OFFLINE"));
  }

  private static URI address(String text) {
    try {
      URI endpoint = new URI(text.strip().replaceFirst("/+$", ""));
      if (endpoint.getHost() != null && String.valueOf(endpoint.getScheme()).matches("https?")) {
        return endpoint;
      }
      throw noAddress(text, null);
    } catch (URISyntaxException e) {
      throw noAddress(text, e);
    }
  }

  private static InvalidDataException noAddress(String text, Exception cause) {
    return new InvalidDataException(
        "The address of the hub is '%s', which is none: set HF_ENDPOINT to one such as %s, or unset it."
            .formatted(text, DEFAULT_ENDPOINT),
        cause);
  }

  private static String token(Map<String, String> variables, Path home) {
    if (isTrue(variables, "HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
      return null;
    }
    String older = value(variables, "HUGGING_FACE_HUB_TOKEN", "");
    String token = value(variables, "HF_TOKEN", older);
    return token.isEmpty() ? stored(variables, home) : token;
  }

  /** What {@code hf auth login} has left. */
  private static String stored(Map<String, String> variables, Path home) {
    String caches = value(variables, "XDG_CACHE_HOME", home.resolve(".cache").toString());
    String folder = value(variables, "HF_HOME", caches + "/huggingface");
    String file = value(variables, "HF_TOKEN_PATH", folder + "/token");
    try {
      String token =
          Files.readString(Path.of(file.replaceFirst("^~(?=/|$)", home.toString()))).strip();
      return token.isEmpty() ? null : token;
    } catch (IOException | RuntimeException none) {
      return null;
    }
  }

  private static boolean isTrue(Map<String, String> variables, String name) {
    return TRUE.contains(value(variables, name, "").toLowerCase(Locale.ROOT));
  }

  private static String value(Map<String, String> variables, String name, String missing) {
    String value = variables.getOrDefault(name, "").strip();
    return value.isEmpty() ? missing : value;
  }

  /** Whether an address is the hub's own, so that the token may go there. */
  boolean isHub(URI uri) {
    return endpoint.getScheme().equals(uri.getScheme())
        && endpoint.getAuthority().equals(uri.getAuthority());
  }

  /** Without the token. */
  @Override
  public String toString() {
    return endpoint.toString();
  }
}
