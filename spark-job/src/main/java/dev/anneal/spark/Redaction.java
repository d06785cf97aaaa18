package dev.anneal.spark;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.SparkHadoopUtil;

/**
 * Takes secrets out of what is said and written: the values of settings and environment variables
 * whose names say that they are secret, and what stands in URIs in front of a host or as a
 * signature. Every sentence passes it that a person or a file gets to see.
 */
public final class Redaction {
  /** What stands in the place of a secret. */
  public static final String MASK = "*********";

  /** Names of secrets beside those that {@code spark.redaction.regex} matches. */
  private static final Pattern SECRET_NAME =
      Pattern.compile(
          "(?i)secret|passw|passphrase|[._-]pwd|token(?!iz)|credential|[._-]sas([._-]|$)|connection[._-]?string"
              + "|(access|api|private|encryption|account|shared|signing)[._-]?key");

  private static final String SPARK_REGEX = "spark.redaction.regex";

  /** Names of settings that are about secrets, and whose values are none. */
  private static final Pattern ABOUT_SECRETS =
      Pattern.compile(
          "(?:^|[._-]|(?<=[a-z])(?=[A-Z]))"
              + "(?i:files?|path|dir|folder|class|providers?|type|enabled?|required|interval|timeout|ms|seconds|minutes|hours|max|min|length|size|count|ids|use[._]ip|algorithm|renewal|lifetime|principal|endpoint|ur[il]|application_credentials)$");

  /** Values that would be masked in every other sentence. */
  private static final Pattern PLAIN_VALUE =
      Pattern.compile("true|false|none|null|-?[0-9.]{1,5}|\\$\\{[^}]*}", Pattern.CASE_INSENSITIVE);

  /** What Hadoop itself says of its settings. */
  private static final Pattern DEFAULTS = Pattern.compile("[a-z-]+-default\\.xml");

  private static final int LEAST_LENGTH = 4;

  /** A secret that may be a word of a sentence is masked where it stands alone. */
  private static final Pattern WORD = Pattern.compile("[\\p{L}\\d_]+");

  private static final Pattern USER_INFO =
      Pattern.compile("([a-zA-Z][a-zA-Z0-9+.-]*://)[^\\s/@:'\"]+:(?!\\d+(/|$))[^\\s@'\"]*@");

  private static final Pattern SIGNATURE =
      Pattern.compile(
          "(?i)([?&](?:sig|signature|token|x-amz-signature|x-amz-security-token|x-amz-credential)=)[^&\\s'\"]+");

  private static final Pattern BEARER = Pattern.compile("(?i)(bearer\\s+)[\\w.~+/=-]{8,}");

  private final List<String> secrets;

  private Redaction(List<String> secrets) {
    this.secrets = secrets;
  }

  /** For the settings of a run and the environment of this process. */
  public static Redaction of(SparkConf spark, Configuration hadoop) {
    return of(spark, hadoop, System.getenv());
  }

  /** For what {@code spark-submit} and Hadoop's files have set, and the environment. */
  public static Redaction ofProcess() {
    SparkConf spark = new SparkConf();
    return of(spark, SparkHadoopUtil.get().newConfiguration(spark));
  }

  static Redaction of(SparkConf spark, Configuration hadoop, Map<String, String> environment) {
    Pattern sparks = spark.contains(SPARK_REGEX) ? Pattern.compile(spark.get(SPARK_REGEX)) : null;
    TreeSet<String> found =
        new TreeSet<>(Comparator.comparingInt(String::length).reversed().thenComparing(s -> s));
    Stream.of(
            Stream.of(spark.getAll()).map(pair -> Map.entry(pair._1(), pair._2())),
            StreamSupport.stream(hadoop.spliterator(), false)
                .filter(setting -> isSet(hadoop, setting.getKey()))
                .flatMap(setting -> withReferences(setting, hadoop)),
            environment.entrySet().stream())
        .flatMap(settings -> settings)
        .filter(setting -> isSecret(setting.getKey(), sparks))
        .map(setting -> setting.getValue().strip())
        .filter(value -> value.length() >= LEAST_LENGTH && !PLAIN_VALUE.matcher(value).matches())
        .forEach(found::add);
    // the longest first: one may be part of another
    return new Redaction(List.copyOf(found));
  }

  /** The same for further secrets. */
  public Redaction and(Collection<String> more) {
    TreeSet<String> all =
        new TreeSet<>(Comparator.comparingInt(String::length).reversed().thenComparing(s -> s));
    all.addAll(secrets);
    all.addAll(more);
    return new Redaction(List.copyOf(all));
  }

  /** Hadoop lists a value as it was written, and gives it out with what it refers to. */
  private static Stream<Map.Entry<String, String>> withReferences(
      Map.Entry<String, String> setting, Configuration hadoop) {
    String value = setting.getValue().contains("${") ? hadoop.get(setting.getKey()) : null;
    return value == null
        ? Stream.of(setting)
        : Stream.of(setting, Map.entry(setting.getKey(), value));
  }

  private static boolean isSecret(String name, Pattern sparks) {
    boolean secret =
        SECRET_NAME.matcher(name).find() || (sparks != null && sparks.matcher(name).find());
    return secret && !ABOUT_SECRETS.matcher(name).find();
  }

  /** Whether somebody has set it, and not Hadoop itself. */
  private static boolean isSet(Configuration hadoop, String name) {
    String[] sources = hadoop.getPropertySources(name);
    return sources == null
        || sources.length == 0
        || !DEFAULTS.matcher(sources[sources.length - 1]).matches();
  }

  /** The text without secrets; {@code null} for {@code null}. */
  public String mask(String text) {
    if (text == null) {
      return null;
    }
    String masked = text;
    for (String secret : secrets) {
      masked =
          WORD.matcher(secret).matches()
              ? masked.replaceAll("(?<![\\p{L}\\d_])" + secret + "(?![\\p{L}\\d_])", MASK)
              : masked.replace(secret, MASK);
    }
    masked = USER_INFO.matcher(masked).replaceAll("$1" + Matcher.quoteReplacement(MASK) + "@");
    masked = SIGNATURE.matcher(masked).replaceAll("$1" + Matcher.quoteReplacement(MASK));
    return BEARER.matcher(masked).replaceAll("$1" + Matcher.quoteReplacement(MASK));
  }

  /** Whether a URI carries a password, or for S3 a key, in front of its host. */
  public static boolean carriesSecret(String uri) {
    return USER_INFO.matcher(uri).lookingAt() || uri.matches("s3[an]?://[^/]*@.*");
  }
}
