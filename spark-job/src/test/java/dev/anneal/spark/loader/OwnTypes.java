package dev.anneal.spark.loader;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.xbean.asm9.ClassReader;
import org.apache.xbean.asm9.ClassVisitor;
import org.apache.xbean.asm9.Handle;
import org.apache.xbean.asm9.MethodVisitor;
import org.apache.xbean.asm9.Opcodes;
import org.apache.xbean.asm9.Type;
import org.apache.xbean.asm9.commons.AnalyzerAdapter;

/**
 * Finds in a class's code where Spark would have to read a type of ours with its own class loader:
 * results of actions, messages of its RPC and of plugins, accumulators, events. Elements of an RDD
 * have no type in bytecode, so actions that hand elements over are found as such.
 */
final class OwnTypes {
  private static final Set<String> RDDS =
      Set.of(
          "org/apache/spark/api/java/JavaRDD",
          "org/apache/spark/api/java/JavaPairRDD",
          "org/apache/spark/api/java/JavaDoubleRDD",
          "org/apache/spark/api/java/JavaRDDLike",
          "org/apache/spark/api/java/AbstractJavaRDDLike",
          "org/apache/spark/rdd/RDD",
          "org/apache/spark/SparkContext",
          "org/apache/spark/api/java/JavaSparkContext");

  private static final Set<String> HAND_ELEMENTS_OVER =
      Set.of(
          "collect",
          "collectAsMap",
          "collectAsync",
          "collectPartitions",
          "aggregate",
          "treeAggregate",
          "reduce",
          "treeReduce",
          "fold",
          "first",
          "take",
          "takeAsync",
          "takeOrdered",
          "takeSample",
          "top",
          "min",
          "max",
          "lookup",
          "countByKey",
          "countByValue",
          "toLocalIterator",
          "runJob",
          "submitJob",
          "collectionAccumulator");

  private static final Set<String> CHANNELS =
      Set.of(
          "org/apache/spark/rpc/RpcEndpointRef",
          "org/apache/spark/rpc/RpcCallContext",
          "org/apache/spark/api/plugin/PluginContext");

  private static final Set<String> SAY = Set.of("send", "ask", "askSync", "askAbortable", "reply");

  private static final Set<String> BASES =
      Set.of(
          "org/apache/spark/util/AccumulatorV2", "org/apache/spark/scheduler/SparkListenerEvent");

  private static final Set<String> MESSAGES = Set.of("[B", "java/lang/String");

  private final List<String> found = new ArrayList<>();
  private String className;

  private OwnTypes() {}

  /** A line for every place, with class and method; empty where there is none. */
  static List<String> in(InputStream classFile) throws IOException {
    OwnTypes types = new OwnTypes();
    new ClassReader(classFile).accept(types.new InClass(), ClassReader.EXPAND_FRAMES);
    return types.found;
  }

  private final class InClass extends ClassVisitor {
    InClass() {
      super(Opcodes.ASM9);
    }

    @Override
    public void visit(
        int version, int access, String name, String sign, String base, String[] interfaces) {
      className = name;
      for (String each : List.of(interfaces)) {
        requireNot(each);
      }
      requireNot(base);
    }

    private void requireNot(String base) {
      if (BASES.contains(base)) {
        found.add(className + " is a " + base);
      }
    }

    @Override
    public MethodVisitor visitMethod(
        int access, String name, String descriptor, String sign, String[] exceptions) {
      return new InMethod(access, name, descriptor);
    }
  }

  private final class InMethod extends AnalyzerAdapter {
    private final String method;

    InMethod(int access, String name, String descriptor) {
      super(Opcodes.ASM9, className, access, name, descriptor, null);
      this.method = name;
    }

    @Override
    public void visitMethodInsn(
        int opcode, String owner, String name, String descriptor, boolean isInterface) {
      if (handsElementsOver(owner, name)) {
        add(owner, name, "elements");
      }
      if (says(owner, name) && stack != null) {
        int slots = (Type.getArgumentsAndReturnSizes(descriptor) >> 2) - 1;
        String message = String.valueOf(stack.get(stack.size() - slots));
        requireMessage(owner, name, message);
      }
      super.visitMethodInsn(opcode, owner, name, descriptor, isInterface);
    }

    @Override
    public void visitInvokeDynamicInsn(
        String name, String descriptor, Handle bootstrap, Object... arguments) {
      for (int i = 0; i < arguments.length; i++) {
        if (arguments[i] instanceof Handle handle) {
          if (handsElementsOver(handle.getOwner(), handle.getName())) {
            add(handle.getOwner(), handle.getName(), "elements");
          }
          // a method reference; behind it stand the types that it is used with
          if (says(handle.getOwner(), handle.getName())) {
            Type[] used = ((Type) arguments[i + 1]).getArgumentTypes();
            requireMessage(
                handle.getOwner(), handle.getName(), used[used.length - 1].getInternalName());
          }
        }
      }
      super.visitInvokeDynamicInsn(name, descriptor, bootstrap, arguments);
    }

    private boolean handsElementsOver(String owner, String name) {
      return RDDS.contains(owner) && HAND_ELEMENTS_OVER.contains(name);
    }

    private boolean says(String owner, String name) {
      return CHANNELS.contains(owner) && SAY.contains(name);
    }

    private void requireMessage(String owner, String name, String type) {
      if (!MESSAGES.contains(type)) {
        add(owner, name, type);
      }
    }

    private void add(String owner, String name, String what) {
      found.add(
          "%s.%s: %s.%s of %s"
              .formatted(
                  className, method, owner.substring(owner.lastIndexOf('/') + 1), name, what));
    }
  }
}
