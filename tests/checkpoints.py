"""Folders with weights and tokenizers as users have them, small enough to be made in a moment."""

from pathlib import Path
from typing import Any

from real_runner.shards.llama.architecture import config_of
from real_runner.shards.llama.weights import drawn
from real_runner.shards.packages import class_named
from workloads.llama.variants import Architecture

LLAMA = Architecture(
    "tiny", 48, 80, 5, 6, 2, 16, vocabulary=258, positions=256, rope_theta=5e5, ends=(2, 257)
)
TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
BEGIN, END = "<s>", "</s>"


def byte_symbols() -> list[str]:
    """Return the 256 letters that stand for bytes in byte-level vocabularies, in their order."""
    import tokenizers

    return sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())


def llama_tokenizer(template: str | None = None) -> Any:
    """Return a tokenizer of bytes, not numbered as `ByteTokenizer` does; END is token 257."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, processors

    words = [BEGIN, *byte_symbols(), END]
    vocabulary = {word: number for number, word in enumerate(words)}
    made = tokenizers.Tokenizer(models.BPE(vocabulary, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, 0)]
    )
    return class_named("transformers", "PreTrainedTokenizerFast")(
        tokenizer_object=made, bos_token=BEGIN, eos_token=END, chat_template=template
    )


def llama_folder(
    folder: Path, template: str | None = None, architecture: Architecture = LLAMA
) -> Path:
    """Return a folder as `transformers` saves a Llama and its tokenizer."""
    model = class_named("transformers", "LlamaForCausalLM")(config_of(architecture)).eval()
    model.load_state_dict(drawn(architecture, 0))
    model.save_pretrained(folder)
    llama_tokenizer(template).save_pretrained(folder)
    return folder


def clip_tokenizers(folder: Path) -> Path:
    """Return a folder with both tokenizers of an SDXL of 258 tokens; they know a letter each."""
    letters = byte_symbols()[:128]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    for name, padding in (("tokenizer", words[-1]), ("tokenizer_2", words[0])):
        made = class_named("transformers", "CLIPTokenizer")(vocab=vocabulary, merges=[])
        made.pad_token, made.model_max_length = padding, 77
        made.save_pretrained(folder / name)
    return folder
