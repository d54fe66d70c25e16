"""The Hub: asked in bounded time; what lies whole in its cache is read where it does not answer."""

from pathlib import Path

from xlv.models.files import check_adapter

_SECONDS = 10.0  # for each of two questions


def answers(repository: str, revision: str | None = None) -> bool:
    """Whether the Hub says anything of a repository and of a file there, be it a refusal; False after 20 seconds."""
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    config = hf_hub_url(repository, "config.json", revision=revision)
    asked = (
        lambda: HfApi().model_info(repository, revision=revision, timeout=_SECONDS),
        lambda: get_hf_file_metadata(config, timeout=_SECONDS),
    )
    for question in asked:
        try:
            question()
        except HfHubHTTPError:
            continue
        except Exception:  # of the network, whose kinds differ by version
            return False
    return True


def located(location: str, revision: str | None = None) -> tuple[str, Path]:
    """What `from_pretrained` takes for a folder or an id, and the folder that holds its config.json.

    Where the Hub does not answer both are the folder in its cache. Raises what `huggingface_hub` raises, and ModelError
    for an adapter.
    """
    from transformers.utils import cached_file

    folder = Path(location)
    if folder.is_absolute():
        return location, folder
    options = {"revision": revision, "local_files_only": not answers(location, revision)}
    adapter = cached_file(location, "adapter_config.json", **options, _raise_exceptions_for_missing_entries=False)
    if adapter is not None:
        check_adapter(Path(adapter).parent)
    folder = Path(cached_file(location, "config.json", **options)).parent
    return (str(folder) if options["local_files_only"] else location), folder
