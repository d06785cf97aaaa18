package dev.anneal.spark.output;

import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.util.Progressable;

/** The local disk under {@code oss:///} as a store that cannot append. */
public class ObjectStore extends RawLocalFileSystem {
  @Override
  public String getScheme() {
    return "oss";
  }

  @Override
  public URI getUri() {
    return URI.create("oss:///");
  }

  @Override
  public FSDataOutputStream append(Path file, int bufferSize, Progressable progress)
      throws IOException {
    throw new UnsupportedOperationException("append");
  }
}
