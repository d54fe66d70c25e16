import threading
import time
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tokenizers import normalizers, processors

from xlv.models.activations import read_plainly
from xlv.models.advice import ModelError
from xlv.models.prompts import ChatTemplate, context_of

PARTS = "{% for m in messages %}{% for part in m.content %}<{{ part.text }}>{% endfor %}{% endfor %}"
CLOCK = "{{ strftime_now('%Y-%m-%d %H:%M:%S.%f') }} {{ ['a', 'b', 'c', 'd'] | random }} {{ messages[0].content }}"
THINKS = "{{ messages[0].content }}{% if enable_thinking is not defined or enable_thinking %}<think>{% endif %}"
NEVER = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}{{ messages[0].content }}"


@pytest.fixture
def with_chat(tiny):
    """A model of its own tokenizer with a chat template, `with_chat(text)`."""

    def build(template: str, read_as: str = "chat"):
        model = tiny()
        tokenizer = deepcopy(model.tokenizer)
        tokenizer.chat_template = template
        return replace(model, tokenizer=tokenizer).with_template(read_as)

    return build


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ raise_exception('only two messages') }}", "only two messages"),
        ("{% for m in messages %}{{ m.content }", "unexpected '}'"),
        ("{{ messages[7].content[0] + 1 }}", "no element 7"),
        ("Hello.", "leaves the text out"),
        ("{{ messages[0].content[:9] }}", "leaves the text out"),
        (NEVER, "does not come to an end"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "recursion"),
        ("{{ 9 ** 9 ** 9 ** 9 }}", "powers"),
        ("{{ messages[0].content }}{% for i in range(99999) %}{{ 'twenty characters each' }}{% endfor %}", "writes"),
    ],
)
def test_a_chat_template_that_cannot_be_used_is_refused_in_one_line_and_raw_text_is_read(with_chat, template, words):
    with pytest.raises(ModelError, match=words) as refused:
        with_chat(template)
    assert "--template raw" in str(refused.value) and "\n" not in str(refused.value)
    assert with_chat(template, "raw").token_ids(["Hi."])


def test_an_endless_template_is_stopped_in_any_thread_and_tracing_is_left_as_it_was(with_chat):
    found, model = [], with_chat(NEVER, "raw")

    def use():
        try:
            ChatTemplate(model.tokenizer)
        except ModelError as error:
            found.append(str(error))

    thread, before = threading.Thread(target=use), time.monotonic()
    thread.start(), thread.join(20)
    assert "end" in found[0] and time.monotonic() - before < 20


def test_a_text_is_given_in_parts_to_a_template_that_shows_it_only_so(with_chat):
    assert with_chat(PARTS).prompt("Hi.", "Be kind.") == "<Be kind.><Hi.>"


def test_neither_the_clock_nor_chance_moves_a_prompt(with_chat, monkeypatch):
    prompts = {with_chat(CLOCK).prompt("Hi.") for _ in range(20)}
    assert prompts == {"2025-01-01 00:00:00.000000 a Hi."}


def test_thinking_is_switched_off_where_the_template_knows_the_switch(with_chat):
    assert with_chat(THINKS).prompt("Hi.") == "Hi."


def processed(model, single: str, **special: int):
    """The model with a tokenizer of its own that puts special tokens around a text."""
    tokenizer = deepcopy(model.tokenizer)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single, None, list(special.items()))
    return replace(model, tokenizer=tokenizer)


def test_a_chat_template_brings_its_own_special_tokens(tiny):
    model = processed(tiny(), "B $A", B=7)
    assert model.token_ids(["Hi."])[0][0] == 7
    chat = model.with_template("chat")
    assert chat.token_ids(["Hi."])[0] == tiny().tokenizer(chat.prompt("Hi."))["input_ids"]


def test_a_mark_that_the_tokenizer_puts_behind_a_text_is_not_read(tiny):
    plain, marked = tiny(), processed(tiny(), "B $A E E", B=7, E=1)
    assert marked.tokenizer("Hi.")["input_ids"][-2:] == [1, 1]
    texts = ["Hi.", "I kept my word.", "It ends in <|end|>"]
    assert marked.token_ids(texts) == [[7, *row] for row in plain.token_ids(texts)]
    with_b = processed(tiny(), "B $A", B=7)
    torch.testing.assert_close(read_plainly(marked, texts), read_plainly(with_b, texts), rtol=0, atol=0)
    with pytest.raises(ValueError, match="the text '' has no tokens"):
        processed(tiny(), "$A E", E=1).token_ids(["Hi.", ""])


def test_tokens_beyond_the_embedding_are_named_with_their_number_and_the_rows(tiny):
    model = tiny()
    tokenizer = deepcopy(model.tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|user|>"]})
    grown = replace(model, tokenizer=tokenizer)
    assert model.rows == 400
    fault = r"the token <\|user\|> is number 400, the model has 400 rows \(0 to 399\): it was resized"
    with pytest.raises(ValueError, match=f"{fault}.*--template raw"):
        grown.with_template("chat").token_ids(["Hi."])
    assert grown.token_ids(["Hi."]) == model.token_ids(["Hi."])


def test_any_token_of_the_model_stands_for_a_pad_token_that_it_lacks(tiny):
    model = tiny()
    tokenizer = deepcopy(model.tokenizer)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    assert tokenizer.pad_token_id >= model.rows
    assert replace(model, tokenizer=tokenizer).pad_id in range(400) and model.pad_id == model.tokenizer.pad_token_id


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_texts_longer_than_the_context_are_refused_with_their_lengths(tiny, architecture):
    model = tiny(architecture)
    model.network.config.max_position_embeddings = 8
    row = model.token_ids(["I"])[0]
    assert len(row) == 1 and model.token_ids(["I" * 3]) and model.context == 8
    fits, long = "I", "I paid my neighbour for the window, and then I told the whole meeting so."
    with pytest.raises(ValueError, match=r"'I paid my .*…' has \d+ tokens: the model can read 8"):
        model.token_ids([fits, long])
    with pytest.raises(ValueError, match="has 1 tokens, 8 to follow: the model can read 8"):
        model.token_ids([fits], new=8)
    assert model.token_ids([fits], new=7) == [row]


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        ({"max_position_embeddings": 2048}, 2048),
        ({"max_position_embeddings": -1}, None),
        ({"n_positions": 512}, 512),
        ({"seq_length": 2048}, 2048),
        ({}, None),
        ({"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "linear", "factor": 4.0}}, 16384),
        (
            {
                "max_position_embeddings": 131072,
                "rope_parameters": {"rope_type": "llama3", "factor": 8, "original_max_position_embeddings": 8192},
            },
            131072,
        ),
        ({"max_position_embeddings": 100, "rope_parameters": {"full_attention": {"factor": 2}, "sliding": {}}}, 200),
    ],
)
def test_the_context_is_what_the_config_names_with_scaled_positions(config, limit):
    assert context_of(SimpleNamespace(**config)) == limit


def test_the_fingerprint_follows_all_that_the_tokenizer_does_and_not_how_it_was_last_called(tiny):
    model = tiny()
    before = model.fingerprint
    model.tokenizer(["Hi.", "Hi there."], padding=True, truncation=True, max_length=4)
    assert replace(model).fingerprint == before
    lower = deepcopy(model.tokenizer)
    lower.backend_tokenizer.normalizer = normalizers.Lowercase()
    marked = processed(model, "B $A", B=7)
    assert len({before, replace(model, tokenizer=lower).fingerprint, marked.fingerprint}) == 3
