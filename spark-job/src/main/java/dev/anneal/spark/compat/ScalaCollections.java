package dev.anneal.spark.compat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import scala.Tuple2;
import scala.collection.Iterable;
import scala.collection.Iterator;

/**
 * Scala's collections as Java's, with what Scala 2.12 and 2.13 have in common: {@code
 * scala.jdk.javaapi} came with 2.13.
 */
public final class ScalaCollections {
  private ScalaCollections() {}

  public static <T> List<T> list(Iterable<T> elements) {
    List<T> list = new ArrayList<>();
    for (Iterator<T> each = elements.iterator(); each.hasNext(); ) {
      list.add(each.next());
    }
    return list;
  }

  public static <K, V> Map<K, V> map(Iterable<Tuple2<K, V>> entries) {
    Map<K, V> map = new LinkedHashMap<>();
    list(entries).forEach(entry -> map.put(entry._1(), entry._2()));
    return map;
  }
}
