package dev.anneal.data.source;

import java.util.concurrent.TimeUnit;
import org.apache.arrow.vector.DateDayVector;
import org.apache.arrow.vector.DateMilliVector;
import org.apache.arrow.vector.DurationVector;
import org.apache.arrow.vector.TimeMicroVector;
import org.apache.arrow.vector.TimeMilliVector;
import org.apache.arrow.vector.TimeNanoVector;
import org.apache.arrow.vector.TimeSecVector;
import org.apache.arrow.vector.TimeStampVector;
import org.apache.arrow.vector.ValueVector;
import org.apache.arrow.vector.types.pojo.ArrowType;

/** Values of Arrow that JSON has no form for as texts. */
final class ArrowText {
  private ArrowText() {}

  /** The value as text; it is not null. */
  static String of(ValueVector vector, int row) {
    if (vector instanceof DateDayVector days) {
      return PythonText.date(days.get(row));
    } else if (vector instanceof DateMilliVector millis) {
      return PythonText.date(TimeUnit.MILLISECONDS.toDays(millis.get(row)));
    } else if (vector instanceof TimeSecVector seconds) {
      return PythonText.time(seconds.get(row), TimeUnit.SECONDS);
    } else if (vector instanceof TimeMilliVector millis) {
      return PythonText.time(millis.get(row), TimeUnit.MILLISECONDS);
    } else if (vector instanceof TimeMicroVector micros) {
      return PythonText.time(micros.get(row), TimeUnit.MICROSECONDS);
    } else if (vector instanceof TimeNanoVector nanos) {
      return PythonText.time(nanos.get(row), TimeUnit.NANOSECONDS);
    } else if (vector instanceof TimeStampVector moments) {
      ArrowType.Timestamp type = (ArrowType.Timestamp) vector.getField().getType();
      return PythonText.timestamp(moments.get(row), unit(type), type.getTimezone());
    } else if (vector instanceof DurationVector durations) {
      return PythonText.duration(durations.getObject(row));
    }
    return vector.getObject(row).toString();
  }

  private static TimeUnit unit(ArrowType.Timestamp type) {
    return switch (type.getUnit()) {
      case SECOND -> TimeUnit.SECONDS;
      case MILLISECOND -> TimeUnit.MILLISECONDS;
      case MICROSECOND -> TimeUnit.MICROSECONDS;
      case NANOSECOND -> TimeUnit.NANOSECONDS;
    };
  }
}
