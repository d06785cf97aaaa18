package dev.anneal.data.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.token.ContentParts;
import dev.anneal.data.token.Message;
import java.util.List;
import java.util.Map;
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

  @Test
  void takesTheMarksOfRawFilesForNoInputAndNoText() throws Exception {
    assertThat(parse(RowFormat.ALPACA, "{'instruction':'Sing','input':'<noinput>','output':'La'}"))
        .isEqualTo(parse(RowFormat.ALPACA, "{'instruction':'Sing','input':'','output':'La'}"));
    assertThat(
            parse(
                RowFormat.SELF_INSTRUCT,
                "{'prompt':'List fruit.\\n\\nOutput: ','completion':' Apples<|endoftext|>'}"))
        .isEqualTo(exchange("List fruit.\n\nOutput:", "Apples"));
  }

  @Test
  void readsTranscriptsOfSeveralTurns() throws Exception {
    Example expected =
        new Example.Chat(
            List.of(
                new Message("user", "Hi\nyou"),
                new Message("assistant", "Hello"),
                new Message("user", "And?"),
                new Message("assistant", "So: well")));
    assertThat(
            parse(
                RowFormat.CHIP2,
                "{'text':'<human>: Hi\\nyou\\n<bot>: Hello\\n<human>: And?\\n<bot>: So: well'}"))
        .isEqualTo(expected);
    assertThat(
            parse(
                RowFormat.HH_RLHF,
                "{'chosen':'\\n\\nHuman: Hi\\nyou\\n\\nAssistant: Hello\\n\\nHuman: And?"
                    + "\\n\\nAssistant: So: well','rejected':'x'}"))
        .isEqualTo(expected);
    assertThat(
            parse(
                RowFormat.GUANACO,
                "{'text':'### Human: Hi\\nyou### Assistant: Hello### Human: And?"
                    + "### Assistant: So: well'}"))
        .isEqualTo(expected);
  }

  @Test
  void keepsToolsAndWhatElseTheTemplateIsGiven() throws Exception {
    Example.Chat chat =
        (Example.Chat)
            parse(
                RowFormat.CHAT,
                "{'messages':[{'role':'user','content':[{'type':'text','text':'Rain'},"
                    + "{'type':'text','text':'?'}],'name':null},"
                    + "{'role':'assistant','content':null,'tool_calls':[{'function':{'name':'f'}}]},"
                    + "{'role':'tool','content':{'mm':0}},{'role':'assistant','content':'No'}],"
                    + "'tools':'[{\\'name\\':\\'f\\'}]',"
                    + "'chat_template_kwargs':{'date_string':'1 May'}}".replace("\\'", "\\\""));
    assertThat(chat.messages())
        .containsExactly(
            new Message(
                "user",
                new ContentParts(
                    List.of(
                        Map.of("type", "text", "text", "Rain"),
                        Map.of("type", "text", "text", "?"))),
                Map.of()),
            new Message(
                "assistant",
                null,
                Map.of("tool_calls", List.of(Map.of("function", Map.of("name", "f"))))),
            new Message("tool", Map.of("mm", 0), Map.of()),
            new Message("assistant", "No"));
    assertThat(chat.variables())
        .isEqualTo(Map.of("tools", List.of(Map.of("name", "f")), "date_string", "1 May"));
  }

  @Test
  void keepsWhatACallHasBesideItsName() throws Exception {
    Map<String, Object> function = Map.of("name", "f", "arguments", Map.of("a", 1), "strict", true);
    Map<String, Object> call = Map.of("id", "c1", "type", "function", "function", function);
    String bare = "{'id':'c1','name':'f','arguments':{'a':1},'strict':true}";
    String whole = "{'id':'c1','function':{'name':'f','arguments':'{}','strict':true}}";
    for (String turn :
        List.of(
            "{'role':'assistant','content':null,'function_call':" + bare + "}",
            "{'role':'assistant','function_call':" + whole.replace("'{}'", "{'a':1}") + "}",
            "{'from':'function_call','value':" + bare + "}")) {
      Example.Chat chat =
          (Example.Chat)
              parse(RowFormat.CHAT, "{'messages':[{'role':'user','content':'a'}," + turn + "]}");
      assertThat(chat.messages().get(1).fields().get("tool_calls")).isEqualTo(List.of(call));
    }
  }

  @Test
  void keepsTheOrderOfATurn() throws Exception {
    Example.Chat chat =
        (Example.Chat)
            parse(
                RowFormat.CHAT,
                "{'messages':[{'value':'a','name':'n','from':'human'},{'content':'b','role':'assistant'}]}");
    assertThat(chat.messages().get(0).fields().keySet()).containsExactly("content", "name", "role");
    assertThat(chat.messages().get(1).fields().keySet()).containsExactly("content", "role");
  }

  @Test
  void namesWhatStandsBesideAMappedPartOfAColumn() throws Exception {
    Columns columns =
        new Columns(
            Map.of("prompt", "q", "completion", "answer.text", "system", "answer.more.system"));
    String row =
        "{'q':'a','answer':{'text':'b','style':'c','empty':null,'more':{'system':'s','x':1}}}";
    assertThat(
            columns
                .parse(JSON.readTree(row.replace('\'', '"')), RowFormat.PROMPT_COMPLETION)
                .fields()
                .unread())
        .containsExactly("answer.more.x", "answer.style");
  }

  @Test
  void readsASystemPromptBeforePromptAndCompletion() throws Exception {
    assertThat(
            parse(
                RowFormat.PROMPT_COMPLETION,
                "{'system':'Be short','prompt':'Hi','completion':'Hello'}"))
        .isEqualTo(
            new Example.Chat(
                List.of(
                    new Message("system", "Be short"),
                    new Message("user", "Hi"),
                    new Message("assistant", "Hello"))));
  }

  @Test
  void readsWhatIsLearnedFromSpansLabelsOrAPromptLength() throws Exception {
    for (String learned :
        new String[] {
          "'target_spans':[[1,2],[3,5]]",
          "'target_spans':[1,2,3,5]",
          "'labels':[-100,6,-100,8,9]",
          "'completion_mask':[0,1,0,1,1]",
          "'assistant_masks':[false,true,false,true,true],'attention_mask':[1,1,1,1,1]",
        }) {
      Example.Tokens tokens =
          (Example.Tokens) parse(RowFormat.TOKENIZED, "{'input_ids':[5,6,7,8,9]," + learned + "}");
      assertThat(tokens.targetSpans()).containsExactly(1, 2, 3, 5);
    }
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
        "chat | {'messages':[{'role':'user','content':'a'}]} | the conversation has no assistant"
            + " turn",
        "chat | {'messages':[{'role':'assistant','content':'a'}]} | the conversation begins with an"
            + " assistant turn",
        "chat | {'messages':[{'role':'user','content':null}]} | field 'content' is not text",
        "chat | {'conversations':[{'from':'x','value':'a'}]} | a turn has the role 'x', which is"
            + " none of system, developer, user, assistant, tool and their other names",
        "prompt-completion | {'prompt':'a'} | field 'completion' is missing",
        "text | {'text':''} | field 'text' is empty",
        "chip2 | {'text':'Hi there'} | the text does not begin with the mark of a turn",
        "chip2 | {'text':'<human>: Hi'} | the conversation has no assistant turn",
        "hh-rlhf | {'chosen':'Human: Hi\\n\\nAssistant:'} | a turn of the conversation is empty",
        "hh-rlhf | {'text':'x'} | field 'chosen' is missing",
        "self-instruct | {'prompt':'a','completion':' '} | field 'completion' is empty",
        "chat | {'messages':[null]} | field 'messages' holds a turn that is not an object",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'tools':3}"
            + " | field 'tools' is not a list",
        "tokenized | {'input_ids':[1,2],'target_spans':[1,3]} | field 'target_spans' does not fit"
            + " 'input_ids'",
        "tokenized | {'input_ids':[1,2],'target_spans':[1,1]} | field 'target_spans' does not"
            + " ascend",
        "tokenized | {'input_ids':[1,2],'labels':[-100]} | field 'labels' is not a list as long as"
            + " 'input_ids'",
        "tokenized | {'input_ids':[1,2],'labels':[-100,3]} | field 'labels' holds other ids than"
            + " 'input_ids'",
        "tokenized | {'input_ids':[1]} | field 'prompt_length' is missing",
        "tokenized | {'input_ids':[1.5],'prompt_length':0} | field 'input_ids' holds something else"
            + " than a token count or id",
        "tokenized | {'input_ids':[-1],'prompt_length':0} | field 'input_ids' holds something else"
            + " than a token count or id",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'images':['x.png']}"
            + " | field 'images' holds what is not text",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'chosen':[1],'rejected':[2]}"
            + " | fields 'chosen' and 'rejected' hold preferences, which are not learned: map the"
            + " one to learn with data.columns",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'history':[['a','b']]}"
            + " | field 'history' would be left out",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'system_prompt':'x'}"
            + " | field 'system_prompt' would be left out: map it with data.columns to 'system'",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'label':false}"
            + " | field 'label' says that the answer is a bad one",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'loss_mask':[0,1]}"
            + " | field 'loss_mask' says in an unknown way what is learned",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'tools':[{}],'functions':[{}]}"
            + " | fields 'tools' and 'functions' are both there",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'chat_template_kwargs':{'chat_template':'x'}}"
            + " | field 'chat_template_kwargs' holds 'chat_template', which is no variable of a"
            + " template",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'conversations':[{'role':'user','content':'a'},{'role':'assistant','content':'c'}]}"
            + " | fields 'messages' and 'conversations' say different things",
        "chat |"
            + " {'system':'x','messages':[{'role':'system','content':'y'},{'role':'user','content':'a'},{'role':'assistant','content':'b'}]}"
            + " | field 'system' and the system turn say different things",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b','weight':0.5}]}"
            + " | field 'weight' of a turn is neither 0 nor 1",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b','weight':0,'train':true}]}"
            + " | fields of a turn say different things on what is learned",
        "chat |"
            + " {'messages':[{'role':'user','content':'a','train':true},{'role':'assistant','content':'b'}]}"
            + " | field 'train' wants a turn of role 'user' to be learned, but only those of"
            + " assistants are",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b','training_detail':[1]}]}"
            + " | field 'training_detail' of a turn says in an unknown way what is learned: use"
            + " 'weight' or 'train'",
        "chat |"
            + " {'messages':[{'role':'user','content':[{'type':'image_url'}]},{'role':'assistant','content':'b'}]}"
            + " | field 'content' holds a part of type 'image_url'",
        "chat |"
            + " {'messages':[{'role':'user','from':'human','content':'a'},{'role':'assistant','content':'b'}]}"
            + " | a turn has 'role' and 'from', which say different things",
        "chat |"
            + " {'conversations':[{'from':'human','value':'a'},{'from':'function_call','value':'f()'}]}"
            + " | a call of a function is not JSON with 'name' and 'arguments'",
        "alpaca | {'instruction':'a','output':'b','history':[['a']]} | field 'history' is not a"
            + " list of [question, answer]",
        "prompt-completion | {'prompt':'a','completion':'b','kto_tag':false} | field 'kto_tag' says"
            + " that the answer is a bad one",
        "tokenized | {'input_ids':[1,2],'labels':[-100,2],'prompt_length':0} | field"
            + " 'prompt_length' and another say different things on what is learned",
        "tokenized | {'input_ids':[1,2],'labels':[-100,'2']} | field 'labels' holds something else"
            + " than ids",
        "tokenized | {'input_ids':[1,2],'completion_mask':[0,2]} | field 'completion_mask' holds"
            + " something else than 0 and 1",
        "tokenized | {'input_ids':[1,2],'prompt_length':1,'attention_mask':[1,0]} | field"
            + " 'attention_mask' leaves tokens out: give none of them",
        "tokenized | {'input_ids':[1,2],'prompt_length':1,'position_ids':[0,0]} | field"
            + " 'position_ids' does not count from 0: give a row a text",
        "tokenized | {'input_ids':[1,2],'prompt_length':1,'seq_lengths':[1,1]} | field"
            + " 'seq_lengths' tells of several texts: give a row a text",
        "chat |"
            + " {'messages':[{'role':'user','content':[{'type':'text','content':'B'}]},{'role':'assistant','content':'b'}]}"
            + " | field 'content' holds a part of type 'text' without 'text'",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'weight':0}"
            + " | field 'weight' says that the row is not learned",
        "text | {'text':'a','train':false} | field 'train' says that the row is not learned",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'chat_template_kwargs':{'add_generation_prompt':true}}"
            + " | field 'chat_template_kwargs' holds 'add_generation_prompt', which is no variable"
            + " of a template",
        "chat |"
            + " {'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'chat_template_kwargs':{'padding':true}}"
            + " | field 'chat_template_kwargs' holds 'padding', which is no variable of a template",
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
