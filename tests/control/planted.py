"""A tiny Llama written by hand: one direction, shared over two languages, carries harm, and may govern refusals."""

import numpy as np
import torch
import transformers as hf
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from xlv.control.refusal import openings
from xlv.models.blocks import find_blocks
from xlv.models.model import Model

WIDTH = 160
UNIT = WIDTH**0.5  # a coordinate of this size alone gives a root mean square of 1, so that RMSNorm changes little
HARM, REFUSE = 0, 1  # coordinates: what a word says of harm, and what the last token has gathered of it
PATTERNS = {"en": "Write a {} about {}", "sw": "Andika {} kuhusu {}"}
MARKERS = {"en": ("poem", "threat"), "sw": ("shairi", "tishio")}
HARM_OF = {"threat": 2.8, "tishio": 1.2}  # Swahili says it less plainly, so that the model refuses less there
NOUNS = [f"noun{i}" for i in range(40)]
CHAT = "{% for m in messages %}<{{ m.role }}> {{ m.content }} {% endfor %}<assistant>"


def corpus(folder) -> None:
    """Write pairs, instructions and neutral sentences in two made-up languages to a folder."""
    for name in ("harmfulness", "sentiment", "control", "neutral"):
        (folder / name).mkdir(parents=True)
    for code, pattern in PATTERNS.items():
        harmless, harmful = MARKERS[code]
        rows = [(pattern.format(harmless, noun), pattern.format(harmful, noun)) for noun in NOUNS]
        pairs = [f"{i}\tg{i}\ten\t{good}\t{bad}" for i, (good, bad) in enumerate(rows[:12])]
        control = [f"{i}\tx\ten\t{good}\t{bad}" for i, (good, bad) in enumerate(rows)]
        for name in ("harmfulness", "sentiment"):
            text = "\n".join(["id\tgroup\torigin\tpositive\tnegative", *pairs])
            (folder / name / f"{code}.tsv").write_text(text)
        text = "\n".join(["id\tcategory\torigin\tharmless\tharmful", *control])
        (folder / "control" / f"{code}.tsv").write_text(text)
        neutral = [f"{i}\t{NOUNS[i]} {NOUNS[i + 1]} {NOUNS[i + 2]}" for i in range(6)]
        (folder / "neutral" / f"{code}.tsv").write_text("\n".join(["id\ttext", *neutral]))


def _tokenizer() -> PreTrainedTokenizerFast:
    texts = [text for code in PATTERNS for part in openings(code) for text in part]
    texts += [*PATTERNS.values(), *NOUNS, *(" ".join(pair) for pair in MARKERS.values()), "<user> <assistant>"]
    words = dict.fromkeys(["<pad>", "<end>", "<unk>", *(word for text in texts for word in text.split())])
    raw = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    result = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<end>", unk_token="<unk>")
    result.chat_template = CHAT
    return result


def planted(effect: float) -> Model:
    """The model; `effect` is what the refusal coordinate adds to the logits of refusals: 1 controls, 0 does nothing.

    Every word has a coordinate of its own, a harmful marker also some harm. The first layer averages harm over the
    prompt into the refusal coordinate; the other layers do nothing. Behind the prompt an answer has a head start of 1.5
    nats, which a harmful prompt makes up for if there is an effect. Behind "I" comes "cannot", behind "Here" "is",
    behind anything else the end. Openings depend a little on other coordinates, so that random vectors do something.
    """
    tokenizer = _tokenizer()
    word = dict(sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]))  # it comes in any order
    size = len(tokenizer)
    config = hf.LlamaConfig(
        hidden_size=WIDTH,
        intermediate_size=8,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        vocab_size=size,
        tie_word_embeddings=False,
        pad_token_id=word["<pad>"],
        eos_token_id=word["<end>"],
        bos_token_id=word["<end>"],
    )
    network = hf.LlamaForCausalLM(config).eval().requires_grad_(False)
    for block in network.model.layers:
        for weights in (block.self_attn.q_proj, block.self_attn.k_proj, block.self_attn.o_proj, block.mlp.down_proj):
            weights.weight.zero_()
    network.model.layers[0].self_attn.v_proj.weight.zero_()[0, HARM] = 1.0
    network.model.layers[0].self_attn.o_proj.weight[REFUSE, 0] = 6.0

    embedding, head = network.model.embed_tokens.weight.zero_(), network.lm_head.weight.zero_()
    own = {name: 2 + index for name, index in word.items()}
    generator = np.random.default_rng(0)
    for name, index in word.items():
        embedding[index, own[name]] = UNIT
        embedding[index, HARM] = HARM_OF.get(name, generator.normal(scale=0.8) if name in NOUNS else 0.0)
    sets = [[text.split()[0] for code in PATTERNS for text in openings(code)[k]] for k in (0, 1)]
    for names, base, share in zip(sets, (20.0, 21.5), (effect, 0.0), strict=True):
        for name in dict.fromkeys(names):
            noise = generator.normal(scale=0.2, size=len(NOUNS))
            head[word[name], [own[noun] for noun in NOUNS]] = torch.tensor(noise, dtype=torch.float32)
            head[word[name], own["<assistant>"]] = base / UNIT
            head[word[name], REFUSE] = share
    for name in ("I", "Here"):  # the likeliest opening of its set
        head[word[name], own["<assistant>"]] += 0.5 / UNIT
    for name in set(word) - {"<assistant>"}:
        follower = {"I": "cannot", "Here": "is"}.get(name, "<end>")
        head[word[follower], own[name]] = 30 / UNIT
    return Model(f"planted-{effect:g}", network, tokenizer, find_blocks(network), "fp32", "chat", f"planted-{effect:g}")
