package dev.anneal.data.prep;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.prep.RowTally.LeftOut;
import java.util.Locale;

/** The sentences with which a data set is refused, early by preflight or late by the job. */
final class Refusals {
  private Refusals() {}

  static InvalidDataException noRows(PrepSpec spec) {
    return new InvalidDataException(
        "data.source '" + spec.rows().source() + "' holds no rows: check the file.");
  }

  static InvalidDataException tooManyBadRows(PrepSpec spec, RowTally tally) {
    return tooManyBadRows(spec, tally.badRows(), tally.read(), tally.firstBad());
  }

  static InvalidDataException tooManyBadRows(PrepSpec spec, long bad, long read, LeftOut first) {
    return new InvalidDataException(
        String.format(
            Locale.ROOT,
            "%s of %s rows of data.source '%s' cannot be used as data.format '%s', more than"
                + " data.max_bad_rows %s allows (the first is row %s of '%s': %s): correct the rows"
                + " or choose another format.",
            bad,
            read,
            spec.rows().source(),
            spec.rows().format().configName(),
            spec.rows().maxBadRows(),
            first.row().row(),
            first.row().file(),
            first.reason()));
  }

  static InvalidDataException nothingLearned(PrepSpec spec) {
    return new InvalidDataException(
        "No row of data.source '"
            + spec.rows().source()
            + "' has a learned token within data.max_length "
            + spec.sequences().maxLength()
            + ": raise data.max_length or check where the answers are.");
  }

  static InvalidDataException tooFewRows(PrepSpec spec, long usable) {
    return new InvalidDataException(
        "data.source '"
            + spec.rows().source()
            + "' has "
            + usable
            + " usable rows, but data.eval_rows holds out "
            + spec.rows().evalRows()
            + " and at least one must be left to train on: lower data.eval_rows.");
  }

  static InvalidDataException noSuchColumn(PrepSpec spec, String column) {
    return new InvalidDataException(
        "data.columns names the column '"
            + column
            + "', which no usable row of data.source '"
            + spec.rows().source()
            + "' has: correct the name or take it out.");
  }

  static boolean tooMany(PrepSpec spec, long bad, long read) {
    return bad > spec.rows().maxBadRows() * read;
  }
}
