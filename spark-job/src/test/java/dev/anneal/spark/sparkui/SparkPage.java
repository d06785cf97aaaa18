package dev.anneal.spark.sparkui;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import org.apache.spark.sql.SparkSession;

/** Spark's pages as a browser on this machine gets them. */
public final class SparkPage {
  private SparkPage() {}

  /** The page of the runs of an application that goes on. */
  public static String runs(SparkSession spark) throws IOException, InterruptedException {
    return get(of(spark) + "/anneal/report/").body();
  }

  static String of(SparkSession spark) {
    return spark.sparkContext().uiWebUrl().get().replaceFirst("//[^:]*:", "//127.0.0.1:");
  }

  static HttpResponse<String> get(String address) throws IOException, InterruptedException {
    return HttpClient.newBuilder()
        .followRedirects(HttpClient.Redirect.NORMAL)
        .build()
        .send(HttpRequest.newBuilder(URI.create(address)).build(), BodyHandlers.ofString());
  }
}
