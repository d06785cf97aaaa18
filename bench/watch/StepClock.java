import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.ProtectionDomain;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.xbean.asm9.ClassReader;
import org.apache.xbean.asm9.ClassVisitor;
import org.apache.xbean.asm9.ClassWriter;
import org.apache.xbean.asm9.Label;
import org.apache.xbean.asm9.MethodVisitor;
import org.apache.xbean.asm9.Opcodes;

/**
 * An agent for the process that trains and for the driver's. It counts what the training thread
 * spends on being watched, by kind, and takes everything that watches away from every second block
 * of steps: nothing is timed in it, nobody is told of its steps, and no page is written meanwhile.
 * Whatever else a run does is as it is without the agent. Arguments: a folder, steps of a block.
 */
public final class StepClock {
  private static final String TOLD = "dev/anneal/spark/train/RankListener";
  private static final String TIMINGS = "dev/anneal/training/timing/StepTimings";
  private static final String PAGE = "dev/anneal/spark/report/LiveReport";

  /** What is counted, by class. */
  private static final Map<String, Integer> KINDS =
      Map.of(
          TOLD, 0,
          TIMINGS, 1,
          TIMINGS + "$HostSpan", 1,
          TIMINGS + "$DeviceSpan", 1,
          "dev/anneal/training/trainer/DeviceMemory", 2);

  private static final int KIND_COUNT = 3;

  /** What does nothing in a block that is not watched. */
  private static final Set<String> LEFT_OUT =
      Set.of(TIMINGS + ".begin", PAGE + ".write", TOLD + ".onPeakMemory");

  private static Path folder;
  private static int blockSteps;

  private static Thread trainer;
  private static final long[] nanos = new long[KIND_COUNT];
  private static final List<long[]> steps = new ArrayList<>();
  private static int depth;
  private static long begin;
  private static boolean unwatched;

  private StepClock() {}

  public static void premain(String arguments, Instrumentation jvm) {
    int comma = arguments.lastIndexOf(',');
    folder = Path.of(arguments.substring(0, comma));
    blockSteps = Integer.parseInt(arguments.substring(comma + 1));
    jvm.addTransformer(new Instrumented());
  }

  /** A step is done and the thread is about to tell of it; whether nobody is to hear. */
  public static boolean isUntold() {
    boolean untold = unwatched;
    trainer = Thread.currentThread();
    steps.add(new long[] {System.nanoTime(), nanos[0], nanos[1], nanos[2]});
    unwatched = steps.size() / blockSteps % 2 == 1;
    if (untold != unwatched) {
      write("watched", unwatched ? "no" : "yes");
    }
    return untold;
  }

  /** In the process that trains: whether the step that begins is in a block without watchers. */
  public static boolean isLeftOut() {
    // the driver's process has no steps, and is told by a file
    return trainer == null ? !isWatched(folder) : unwatched;
  }

  /** What the driver's process knows of it. */
  static boolean isWatched(Path folder) {
    try {
      Path told = folder.resolve("watched");
      return !Files.exists(told) || Files.readString(told).equals("yes");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public static void enter() {
    if (Thread.currentThread() == trainer && depth++ == 0) {
      begin = System.nanoTime();
    }
  }

  public static void exit(int kind) {
    if (Thread.currentThread() == trainer && depth > 0 && --depth == 0) {
      nanos[kind] += System.nanoTime() - begin;
    }
  }

  /** The run is over: a line a step, with when it was done and what the kinds have taken so far. */
  public static void end() {
    StringBuilder lines = new StringBuilder();
    for (long[] step : steps) {
      lines.append("%d,%d,%d,%d%n".formatted(step[0], step[1], step[2], step[3]));
    }
    write("steps.csv", lines.toString());
  }

  private static void write(String name, String text) {
    try {
      Path part = Files.writeString(folder.resolve(name + ".part"), text, UTF_8);
      Files.move(part, folder.resolve(name), StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static final class Instrumented implements ClassFileTransformer {
    @Override
    public byte[] transform(
        ClassLoader loader, String name, Class<?> old, ProtectionDomain domain, byte[] bytes) {
      if (!KINDS.containsKey(name) && !name.equals(PAGE)) {
        return null;
      }
      try {
        ClassWriter writer = new ClassWriter(ClassWriter.COMPUTE_MAXS);
        new ClassReader(bytes).accept(new Methods(name, writer), 0);
        return writer.toByteArray();
      } catch (RuntimeException e) {
        // the JVM would swallow it, and the figures would say that nothing costs anything
        e.printStackTrace();
        Runtime.getRuntime().halt(3);
        return null;
      }
    }
  }

  private static final class Methods extends ClassVisitor {
    private final String type;

    Methods(String type, ClassVisitor next) {
      super(Opcodes.ASM9, next);
      this.type = type;
    }

    @Override
    public MethodVisitor visitMethod(
        int access, String name, String descriptor, String signature, String[] exceptions) {
      MethodVisitor next = super.visitMethod(access, name, descriptor, signature, exceptions);
      boolean counts =
          KINDS.containsKey(type)
              && !name.startsWith("<")
              && ((access & Opcodes.ACC_PUBLIC) != 0 || name.equals("peakBytes"));
      return counts || LEFT_OUT.contains(type + "." + name)
          ? new Method(type, name, counts, next)
          : next;
    }
  }

  private static final class Method extends MethodVisitor {
    private final String type;
    private final String name;
    private final boolean counts;

    Method(String type, String name, boolean counts, MethodVisitor next) {
      super(Opcodes.ASM9, next);
      this.type = type;
      this.name = name;
      this.counts = counts;
    }

    @Override
    public void visitCode() {
      super.visitCode();
      if (type.equals(TOLD) && name.equals("onStep")) {
        returnIf("isUntold");
      } else if (LEFT_OUT.contains(type + "." + name)) {
        returnIf("isLeftOut");
      } else if (type.equals(TOLD) && name.equals("onResult")) {
        call("end", "()V");
      }
      if (counts) {
        call("enter", "()V");
      }
    }

    private void returnIf(String condition) {
      Label rest = new Label();
      call(condition, "()Z");
      super.visitJumpInsn(Opcodes.IFEQ, rest);
      super.visitInsn(Opcodes.RETURN);
      super.visitLabel(rest);
      super.visitFrame(Opcodes.F_SAME, 0, null, 0, null);
    }

    @Override
    public void visitInsn(int opcode) {
      if (counts && opcode >= Opcodes.IRETURN && opcode <= Opcodes.RETURN) {
        super.visitLdcInsn(KINDS.get(type));
        call("exit", "(I)V");
      }
      super.visitInsn(opcode);
    }

    private void call(String method, String descriptor) {
      super.visitMethodInsn(Opcodes.INVOKESTATIC, "StepClock", method, descriptor, false);
    }
  }
}
