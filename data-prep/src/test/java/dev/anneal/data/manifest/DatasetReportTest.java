package dev.anneal.data.manifest;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.storage.Storage;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetReportTest {
  @TempDir Path dir;

  @Test
  void showsCountsAndHowLongRowsAre() throws Exception {
    String manifest =
        """
        {"schema_version": 1, "spec": {}, "token_lengths": {"1": 1, "32": 1200, "64": 2400},
         "rows": {"read": 3611, "kept": 3601, "truncated": 2, "split": 0,
                  "bad": {"field 'output' is empty": 4}, "dropped": {"no token is learned": 6}},
         "train": {"rows": 3501, "sequences": 40, "tokens": 163000, "target_tokens": 81500,
                   "packing_efficiency": 0.9949,
                   "files": [{"name": "part-00000.arrow", "sequences": 40, "bytes": 1}]},
         "eval": {"rows": 100, "sequences": 100, "tokens": 4600, "target_tokens": 2300,
                  "packing_efficiency": 0.0112,
                  "files": [{"name": "eval-00000.arrow", "sequences": 100, "bytes": 1}]}}
        """;
    Files.writeString(
        dir.resolve("dataset.json"), new ObjectMapper().readTree(manifest).toString());

    assertThat(
            DatasetReport.of(
                DatasetManifest.read(dir.toString(), new Storage(new Configuration()))))
        .isEqualTo(
            """
                               rows     sequences           tokens          learned    full
            train             3,501            40          163,000           81,500   99.5%
            held out            100           100            4,600            2,300
            cut short             2
            left out              4  field 'output' is empty
            left out              6  no token is learned

            tokens a row
                    1             1  #
                17-32         1,200  ####################
                33-64         2,400  ########################################""");
  }
}
