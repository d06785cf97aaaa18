package dev.anneal.spark;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.ProtectionDomain;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;

/** An agent of the JVM that ends it where a class is loaded, as a crash in native code would. */
public final class HaltingAgent {
  private static final int EXIT_CODE = 3;

  private HaltingAgent() {}

  /** Called by the JVM with the name of the class. */
  public static void premain(String className, Instrumentation jvm) {
    jvm.addTransformer(new Transformer(className.replace('.', '/')));
  }

  /** The option of a JVM that takes the agent, whose jar is made in {@code folder}. */
  static String option(Path folder, Class<?> halting) throws IOException {
    Path jar = folder.resolve("halting-agent.jar");
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
    manifest.getMainAttributes().putValue("Premain-Class", HaltingAgent.class.getName());
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file, manifest)) {
      for (Class<?> each : new Class<?>[] {HaltingAgent.class, Transformer.class}) {
        String name = each.getName().replace('.', '/') + ".class";
        out.putNextEntry(new JarEntry(name));
        each.getClassLoader().getResourceAsStream(name).transferTo(out);
        out.closeEntry();
      }
    }
    return "-javaagent:%s=%s".formatted(jar, halting.getName());
  }

  private record Transformer(String className) implements ClassFileTransformer {
    @Override
    public byte[] transform(
        ClassLoader loader,
        String name,
        Class<?> redefined,
        ProtectionDomain domain,
        byte[] classFile) {
      if (className.equals(name)) {
        new IllegalStateException("no such device").printStackTrace();
        Runtime.getRuntime().halt(EXIT_CODE);
      }
      return null;
    }
  }
}
