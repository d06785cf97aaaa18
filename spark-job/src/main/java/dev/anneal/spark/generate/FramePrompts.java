package dev.anneal.spark.generate;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.to_json;

import dev.anneal.spark.BadRequestException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Prompts in the rows of a DataFrame, which are read once: the driver holds them with the types
 * that they have until each has its answer beside it.
 */
public final class FramePrompts implements AnswerSink {
  private static final String JSON = "anneal_prompt_json";
  private static final List<String> DEFAULT_COLUMNS = List.of("prompt", "messages");

  private final Dataset<Row> frame;
  private final String column;
  private final List<Row> rows = new ArrayList<>();
  private final List<Row> answered = new ArrayList<>();

  /**
   * Checks the columns.
   *
   * @param column that holds the prompt; {@code null} for {@code prompt} or {@code messages}
   * @throws BadRequestException if it is not there, or one of an answer's is
   */
  public FramePrompts(Dataset<Row> frame, String column) {
    this.frame = frame;
    this.column = column;
    for (String name : frame.columns()) {
      if (Answer.FIELDS.contains(name.toLowerCase(Locale.ROOT))) {
        throw new BadRequestException(
            "The DataFrame has a column '%s' already, which the answers are to have: give it another name."
                .formatted(name));
      }
    }
    if (columns().isEmpty()) {
      throw new BadRequestException(
          column == null
              ? "The DataFrame has neither a column 'prompt' nor 'messages': name one in prompts_column."
              : "The DataFrame has no column '%s', which prompts_column names: choose among %s."
                  .formatted(column, String.join(", ", frame.columns())));
    }
  }

  String column() {
    return column;
  }

  private List<String> columns() {
    List<String> there = Arrays.asList(frame.columns());
    Stream<String> wanted = column == null ? DEFAULT_COLUMNS.stream() : Stream.of(column);
    return wanted.filter(there::contains).toList();
  }

  /** Those that the reader refuses where they hold something. */
  private Stream<String> notGiven() {
    return Stream.of(frame.columns())
        .filter(name -> PromptReader.NOT_GIVEN.contains(name) && !columns().contains(name));
  }

  /** Reads all rows, a partition at a time. */
  void read(PromptReader reader) {
    Column[] prompt =
        Stream.concat(columns().stream(), notGiven())
            .map(name -> col("`" + name.replace("`", "``") + "`"))
            .toArray(Column[]::new);
    int width = frame.columns().length;
    Iterator<Row> all = frame.withColumn(JSON, to_json(struct(prompt))).toLocalIterator();
    while (all.hasNext()) {
      Row row = all.next();
      Object[] values = new Object[width];
      Arrays.setAll(values, row::get);
      rows.add(RowFactory.create(values));
      reader.row("row %s of the DataFrame".formatted(rows.size()), row.getString(width));
    }
  }

  @Override
  public void take(PromptSpool.Waiting prompt, Answer answer) {
    Row row = rows.get(answered.size());
    Object[] values = new Object[row.size() + Answer.FIELDS.size()];
    Arrays.setAll(values, i -> i < row.size() ? row.get(i) : null);
    values[row.size()] = answer.text();
    values[row.size() + 1] = answer.finishReason();
    values[row.size() + 2] = answer.promptTokens();
    values[row.size() + 3] = answer.tokens();
    answered.add(RowFactory.create(values));
  }

  /** The rows with what has come of them, in their order. */
  public Dataset<Row> answered(SparkSession spark) {
    StructType schema =
        frame
            .schema()
            .add(Answer.FIELDS.get(0), DataTypes.StringType)
            .add(Answer.FIELDS.get(1), DataTypes.StringType)
            .add(Answer.FIELDS.get(2), DataTypes.IntegerType)
            .add(Answer.FIELDS.get(3), DataTypes.IntegerType);
    return spark.createDataFrame(answered, schema);
  }
}
