package dev.anneal.spark.kubernetes;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.client.server.mock.KubernetesCrudDispatcher;
import io.fabric8.mockwebserver.dsl.HttpMethod;
import io.fabric8.mockwebserver.http.Buffer;
import io.fabric8.mockwebserver.http.Headers;
import io.fabric8.mockwebserver.http.MockResponse;
import io.fabric8.mockwebserver.http.RecordedRequest;
import java.io.IOException;
import java.io.UncheckedIOException;

/** fabric8's API in memory, with the server-side apply that Spark creates services and maps by. */
final class ApiDispatcher extends KubernetesCrudDispatcher {
  private static final String CONTENT_TYPE = "Content-Type";
  private static final String APPLY = "application/apply-patch+yaml";
  private static final String MERGE = "application/merge-patch+json";

  /** A pod is pending at first, and stays until its kubelet says that its process has ended. */
  @Override
  public MockResponse handleCreate(RecordedRequest request) {
    return request.getPath().endsWith("/pods")
        ? super.handleCreate(with(pending(request.getBody().readUtf8()), request))
        : super.handleCreate(request);
  }

  private byte[] pending(String pod) {
    try {
      ObjectNode json = (ObjectNode) context.getMapper().readTree(pod);
      json.withObject("/metadata").putArray("finalizers").add(Kubelet.FINALIZER);
      json.withObject("/status").put("phase", "Pending");
      return context.getMapper().writeValueAsBytes(json);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static RecordedRequest with(byte[] body, RecordedRequest request) {
    return new RecordedRequest(
        request.getHttpVersion(),
        request.method(),
        request.getPath(),
        request.getHeaders(),
        new Buffer(body));
  }

  @Override
  public MockResponse handlePatch(RecordedRequest request) {
    String type = request.getHeader(CONTENT_TYPE);
    if (type == null || !type.startsWith(APPLY)) {
      return super.handlePatch(request);
    }
    String path = request.getPath().replaceFirst("\\?.*", "");
    return findResource(getKey(path)) == null
        ? handleCreate(as(HttpMethod.POST, path.substring(0, path.lastIndexOf('/')), request))
        : super.handlePatch(as(HttpMethod.PATCH, path, request));
  }

  private static RecordedRequest as(HttpMethod method, String path, RecordedRequest request) {
    Headers headers = request.getHeaders().newBuilder().set(CONTENT_TYPE, MERGE).build();
    return new RecordedRequest(request.getHttpVersion(), method, path, headers, request.getBody());
  }
}
