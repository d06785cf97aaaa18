package dev.anneal.spark.fetch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.hub.HubFile;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.Collectors;

/**
 * Which uploads to an object store are under way, and which of their parts have been sent: what
 * another driver needs to go on. It lies beside the files until all of them are there.
 */
final class UploadJournal {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String NAME = FetchTarget.WORK + "/uploads.json";

  private final FetchTarget target;
  private final Map<String, Entry> entries = new ConcurrentHashMap<>();

  private UploadJournal(FetchTarget target) {
    this.target = target;
  }

  /** An upload of one file. */
  static final class Entry {
    private final String checksum;
    private final long partBytes;
    private final byte[] upload;
    private final SortedMap<Integer, byte[]> sent = new ConcurrentSkipListMap<>();
    private volatile boolean isFile;
    private volatile String sha256;

    private Entry(String checksum, long partBytes, byte[] upload) {
      this.checksum = checksum;
      this.partBytes = partBytes;
      this.upload = upload;
    }

    byte[] upload() {
      return upload;
    }

    long partBytes() {
      return partBytes;
    }

    SortedMap<Integer, byte[]> sent() {
      return sent;
    }

    /** The file with the SHA-256 that its content came with, where the listing has none. */
    HubFile known(HubFile file) {
      return file.sha256() == null && sha256 != null
          ? new HubFile(file.path(), file.bytes(), sha256, file.gitSha1())
          : file;
    }

    int parts(HubFile file) {
      return (int) ((file.bytes() + partBytes - 1) / partBytes);
    }

    /** Whether it was completed: there is a file, whose checksum nobody has taken yet. */
    boolean isFile() {
      return isFile;
    }

    void becomesFile() {
      isFile = true;
    }
  }

  /** What an earlier fetch has left, if anything. */
  static UploadJournal read(FetchTarget target) throws IOException {
    UploadJournal journal = new UploadJournal(target);
    String location = target.child(NAME);
    if (target.storage().exists(location)) {
      try (InputStream in = target.storage().open(location)) {
        for (JsonNode entry : JSON.readTree(in.readAllBytes()).path("uploads")) {
          journal.add(entry);
        }
      }
    }
    return journal;
  }

  private void add(JsonNode json) throws IOException {
    Entry entry =
        new Entry(
            json.path("checksum").asText(),
            json.path("part_bytes").asLong(),
            json.path("upload").binaryValue());
    for (JsonNode part : json.path("parts")) {
      entry.sent.put(part.path("number").asInt(), part.path("part").binaryValue());
    }
    entry.isFile = json.path("is_file").asBoolean();
    entry.sha256 = json.path("sha256").textValue();
    entries.put(json.path("path").asText(), entry);
  }

  /** Writes it down as it is now. */
  synchronized void write() throws IOException {
    ObjectNode json = JSON.createObjectNode();
    Base64.Encoder base64 = Base64.getEncoder();
    entries.forEach(
        (path, entry) -> {
          ObjectNode upload = json.withArray("uploads").addObject();
          upload.put("path", path).put("checksum", entry.checksum);
          upload.put("part_bytes", entry.partBytes);
          upload.put("upload", base64.encodeToString(entry.upload));
          upload.put("is_file", entry.isFile);
          if (entry.sha256 != null) {
            upload.put("sha256", entry.sha256);
          }
          entry.sent.forEach(
              (number, part) ->
                  upload
                      .withArray("parts")
                      .addObject()
                      .put("number", number)
                      .put("part", base64.encodeToString(part)));
        });
    byte[] bytes = JSON.writeValueAsBytes(json);
    target.storage().write(target.child(NAME), out -> out.write(bytes));
  }

  /** Removes what was written down; all of it is done. */
  synchronized void remove() throws IOException {
    entries.clear();
    target.storage().delete(target.child(NAME));
  }

  /**
   * Checksums of files by their paths: they may stand in the store, also without a word of it here,
   * and nobody has read them again yet.
   */
  Map<String, String> unverified() {
    return entries.entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, entry -> entry.getValue().checksum));
  }

  Optional<Entry> of(HubFile file) {
    return Optional.ofNullable(entries.get(file.path()));
  }

  Entry begin(HubFile file, long partBytes, byte[] upload) {
    Entry entry = new Entry(file.checksum(), partBytes, upload);
    entries.put(file.path(), entry);
    return entry;
  }

  /**
   * Parts of a file have been sent.
   *
   * @param sha256 that the content came with; may be null
   */
  void sent(String path, Map<Integer, byte[]> parts, String sha256) {
    Entry entry = entries.get(path);
    entry.sent.putAll(parts);
    if (sha256 != null) {
      entry.sha256 = sha256;
    }
  }

  void forget(String path) {
    entries.remove(path);
  }

  /** Forgets all uploads but those of these files with these contents; returns the others. */
  Map<String, byte[]> keepOnly(List<HubFile> files) {
    Map<String, String> kept =
        files.stream().collect(Collectors.toMap(HubFile::path, HubFile::checksum));
    Map<String, byte[]> others = new ConcurrentHashMap<>();
    for (String path : new ArrayList<>(entries.keySet())) {
      Entry entry = entries.get(path);
      if (!entry.checksum.equals(kept.get(path))) {
        entries.remove(path);
        others.put(path, entry.upload);
      }
    }
    return others;
  }
}
