package dev.anneal.data.hub;

import dev.anneal.data.error.InvalidDataException;
import java.io.Serializable;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Proxies by the environment variables that most clients go by.
 *
 * @param http for {@code http:} addresses, null for none
 * @param https for {@code https:} addresses, null for none
 * @param unusable variables that name proxies of a kind that cannot be used, by the scheme of the
 *     addresses: they are refused where one is needed
 * @param excluded hosts, domains, {@code host:port} and IPv4 networks that are reached without one
 */
public record HubProxies(URI http, URI https, Map<String, String> unusable, List<String> excluded)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /** None but those that Java's own properties name. */
  static final HubProxies NONE = new HubProxies(null, null, List.of());

  private static final Pattern NETWORK = Pattern.compile("(\\d{1,3}(?:\\.\\d{1,3}){3})/(\\d{1,2})");
  private static final Pattern IPV4 = Pattern.compile("\\d{1,3}(\\.\\d{1,3}){3}");

  /** Java sends no password to a proxy of https addresses unless this property is empty. */
  private static final String REFUSED_SCHEMES = "jdk.http.auth.tunneling.disabledSchemes";

  /** Proxies that can be used. */
  public HubProxies(URI http, URI https, List<String> excluded) {
    this(http, https, Map.of(), excluded);
  }

  static HubProxies of(Map<String, String> variables) {
    Map<String, URI> proxies = new HashMap<>();
    Map<String, String> unusable = new HashMap<>();
    for (String scheme : List.of("http", "https")) {
      Optional<String> variable =
          named(variables, scheme + "_proxy").or(() -> named(variables, "all_proxy"));
      if (variable.isPresent()) {
        Optional<URI> proxy = proxy(variables.get(variable.get()).strip());
        proxy.ifPresentOrElse(
            usable -> proxies.put(scheme, usable), () -> unusable.put(scheme, variable.get()));
      }
    }
    String excluded = named(variables, "no_proxy").map(variables::get).orElse("");
    return new HubProxies(
        proxies.get("http"),
        proxies.get("https"),
        Map.copyOf(unusable),
        Arrays.stream(excluded.split(","))
            .map(entry -> entry.strip().toLowerCase(Locale.ROOT))
            .filter(entry -> !entry.isEmpty())
            .toList());
  }

  /**
   * The variable that is set: of the name in small letters, which goes first, or in capital ones.
   */
  private static Optional<String> named(Map<String, String> variables, String name) {
    return Stream.of(name, name.toUpperCase(Locale.ROOT))
        .filter(variant -> !variables.getOrDefault(variant, "").isBlank())
        .findFirst();
  }

  private static Optional<URI> proxy(String value) {
    try {
      URI proxy = URI.create(value.contains("://") ? value : "http://" + value);
      return "http".equals(proxy.getScheme()) && proxy.getHost() != null
          ? Optional.of(proxy)
          : Optional.empty();
    } catch (IllegalArgumentException noAddress) {
      return Optional.empty();
    }
  }

  /**
   * The proxy that an address is reached through.
   *
   * @throws InvalidDataException if it is one that cannot be used
   */
  Optional<URI> proxyOf(URI target) {
    String scheme = "https".equals(target.getScheme()) ? "https" : "http";
    URI proxy = scheme.equals("https") ? https : http;
    String refused = unusable.get(scheme);
    if ((proxy == null && refused == null) || isExcluded(target)) {
      return Optional.empty();
    }
    if (refused != null) {
      throw new InvalidDataException(
          "%s names no proxy that can be used: write it as http://HOST:PORT, or except %s in NO_PROXY."
              .formatted(refused, target.getHost()));
    }
    return Optional.of(proxy);
  }

  private boolean isExcluded(URI target) {
    String host = target.getHost().toLowerCase(Locale.ROOT);
    String withPort = host + ":" + port(target);
    return excluded.stream()
        .anyMatch(
            entry ->
                entry.equals("*")
                    || isIn(host, entry)
                    || names(entry, host)
                    || names(entry, withPort));
  }

  private static boolean names(String entry, String host) {
    String domain = entry.replaceFirst("^\\*?\\.", "");
    return host.equals(domain) || host.endsWith("." + domain);
  }

  private static boolean isIn(String host, String entry) {
    Matcher network = NETWORK.matcher(entry);
    if (!network.matches() || !IPV4.matcher(host).matches()) {
      return false;
    }
    int bits = Math.min(32, Integer.parseInt(network.group(2)));
    long mask = bits == 0 ? 0 : -1L << (32 - bits);
    return (number(host) & mask) == (number(network.group(1)) & mask);
  }

  private static long number(String ipv4) {
    return Arrays.stream(ipv4.split("\\."))
        .mapToLong(Long::parseLong)
        .reduce(0, (number, part) -> (number << 8) | part);
  }

  private static int port(URI uri) {
    if (uri.getPort() >= 0) {
      return uri.getPort();
    }
    return "https".equals(uri.getScheme()) ? 443 : 80;
  }

  /** The same as Java has it; empty where Java's own properties are to decide. */
  Optional<Proxy> forJava(URI target) {
    if (http == null && https == null && unusable.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        proxyOf(target)
            .map(p -> new Proxy(Proxy.Type.HTTP, new InetSocketAddress(p.getHost(), port(p))))
            .orElse(Proxy.NO_PROXY));
  }

  /**
   * What the proxy of an address is told of who asks.
   *
   * @throws InvalidDataException if Java would not tell it
   */
  Optional<String> authorization(URI target) {
    Optional<URI> asking = proxyOf(target).filter(proxy -> proxy.getUserInfo() != null);
    if (asking.isPresent()
        && "https".equals(target.getScheme())
        && !"".equals(System.getProperty(REFUSED_SCHEMES))) {
      throw new InvalidDataException(
          "The proxy of https addresses has a password, which Java keeps from proxies: start it with -D%s= (an empty value), as in JAVA_TOOL_OPTIONS."
              .formatted(REFUSED_SCHEMES));
    }
    return asking.map(
        proxy ->
            "Basic "
                + Base64.getEncoder()
                    .encodeToString(proxy.getUserInfo().getBytes(StandardCharsets.UTF_8)));
  }
}
