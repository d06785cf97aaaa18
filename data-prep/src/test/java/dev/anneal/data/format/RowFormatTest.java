package dev.anneal.data.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.token.Message;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RowFormatTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @Test
  void asksInAlpacasWordsWithAndWithoutInput() throws Exception {
    assertThat(parse(RowFormat.ALPACA, "{'instruction':'Add 100% of','input':'1 2','output':'3'}"))
        .isEqualTo(
            exchange(
                "Below is an instruction that describes a task, paired with an input that provides"
                    + " further context. Write a response that appropriately completes the"
                    + " request.\n\n### Instruction:\nAdd 100% of\n\n### Input:\n1 2\n\n###"
                    + " Response:",
                "3"));
    Example withoutInput =
        exchange(
            "Below is an instruction that describes a task. Write a response that appropriately"
                + " completes the request.\n\n### Instruction:\nSing\n\n### Response:",
            "La");
    for (String input : new String[] {"", "'input':'',", "'input':null,"}) {
      assertThat(parse(RowFormat.ALPACA, "{'instruction':'Sing'," + input + "'output':'La'}"))
          .isEqualTo(withoutInput);
    }
  }

  @Test
  void readsConversationsOfOpenAiAndShareGpt() throws Exception {
    Example expected =
        new Example.Chat(
            List.of(
                new Message("system", "Be short"),
                new Message("user", "Hi"),
                new Message("assistant", "Hello")));
    assertThat(
            parse(
                RowFormat.CHAT,
                "{'messages':[{'role':'system','content':'Be short'},"
                    + "{'role':'user','content':'Hi'},{'role':'assistant','content':'Hello'}]}"))
        .isEqualTo(expected);
    assertThat(
            parse(
                RowFormat.CHAT,
                "{'conversations':[{'from':'system','value':'Be short'},"
                    + "{'from':'human','value':'Hi'},{'from':'gpt','value':'Hello'}]}"))
        .isEqualTo(expected);
  }

  @Test
  void readsPromptAndCompletionTextAndTokens() throws Exception {
    assertThat(parse(RowFormat.PROMPT_COMPLETION, "{'prompt':'Hi','completion':'Hello'}"))
        .isEqualTo(exchange("Hi", "Hello"));
    assertThat(parse(RowFormat.TEXT, "{'text':'Once'}")).isEqualTo(new Example.Text("Once"));
    Example.Tokens tokens =
        (Example.Tokens) parse(RowFormat.TOKENIZED, "{'input_ids':[5,6],'prompt_length':1}");
    assertThat(tokens.ids()).containsExactly(5, 6);
    assertThat(tokens.targetSpans()).containsExactly(1, 2);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "alpaca | {'instruction':'a','output':''} | field 'output' is empty",
        "alpaca | {'instruction':'a','output':' \\n'} | field 'output' is empty",
        "alpaca | {'instruction':'a'} | field 'output' is missing",
        "alpaca | {'instruction':'a','output':null} | field 'output' is not text",
        "alpaca | {'instruction':7,'output':'b'} | field 'instruction' is not text",
        "alpaca | {'instruction':'a','input':[],'output':'b'} | field 'input' is not text",
        "alpaca | {'instruction':'a','output':'\\ud83d'} | field 'output' holds half a character",
        "alpaca | ['a'] | the row is not a JSON object",
        "chat | {'text':'a'} | neither field 'messages' nor 'conversations' is there",
        "chat | {'messages':'a'} | field 'messages' is not a list",
        "chat | {'messages':[]} | the conversation has no assistant turn",
        "chat | {'messages':[{'role':'user','content':'a'}]} | the conversation has no assistant turn",
        "chat | {'messages':[{'role':'assistant','content':'a'}]} | the conversation begins with an assistant turn",
        "chat | {'messages':[{'role':'user','content':null}]} | field 'content' is not text",
        "chat | {'conversations':[{'from':'x','value':'a'}]} | a turn is from nobody known",
        "prompt-completion | {'prompt':'a'} | field 'completion' is missing",
        "text | {'text':''} | field 'text' is empty",
        "tokenized | {'input_ids':[1]} | field 'prompt_length' is missing",
        "tokenized | {'input_ids':[1.5],'prompt_length':0} | field 'input_ids' holds something else than a token count or id",
        "tokenized | {'input_ids':[-1],'prompt_length':0} | field 'input_ids' holds something else than a token count or id",
        "tokenized | {'input_ids':3,'prompt_length':0} | field 'input_ids' is not a list",
      })
  void saysWhatIsWrongWithARow(String format, String row, String reason) {
    assertThatThrownBy(() -> parse(RowFormat.of(format), row))
        .isInstanceOf(BadRowException.class)
        .hasMessage(reason);
  }

  @Test
  void namesTheFormatsThatThereAre() {
    assertThatThrownBy(() -> RowFormat.of("alpaka"))
        .hasMessage(
            "data.format is 'alpaka', but must be one of alpaca, chat, prompt-completion,"
                + " self-instruct, chip2, hh-rlhf, guanaco, text, tokenized.");
  }

  private static Example exchange(String prompt, String answer) {
    return new Example.Chat(List.of(new Message("user", prompt), new Message("assistant", answer)));
  }

  private static Example parse(RowFormat format, String row) throws Exception {
    return format.parse(JSON.readTree(row.replace('\'', '"')));
  }
}
