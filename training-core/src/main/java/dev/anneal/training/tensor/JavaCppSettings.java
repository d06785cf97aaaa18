package dev.anneal.training.tensor;

/**
 * What JavaCPP is told before its first class is loaded. Whatever the user has set with {@code -D}
 * stays, in either spelling: JavaCPP prefers the one with capital letters.
 */
final class JavaCppSettings {
  private JavaCppSettings() {}

  static void apply() {
    // it would cap native memory by -Xmx
    setIfAbsent("maxbytes", "0");
    setIfAbsent("maxphysicalbytes", "0");
    // scopes free everything, and threads of ranks would wait for each other at its list
    setIfAbsent("nopointergc", "true");
    if (NativeLibraries.areFor("linux-x86_64-gpu")) {
      setIfAbsent("platform.extension", "-gpu");
    }
  }

  private static void setIfAbsent(String name, String value) {
    System.getProperties().putIfAbsent("org.bytedeco.javacpp." + name, value);
  }
}
