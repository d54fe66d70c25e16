"""The Hub: asked in bounded time; what lies whole in its cache is read where it does not answer."""

from pathlib import Path

from xlv.models.advice import ModelError
from xlv.models.files import check_adapter

_SECONDS = 10.0


def located(location: str, revision: str | None = None) -> tuple[str, Path]:
    """What `from_pretrained` takes for a folder or an id, and the folder that holds its config.json.

    Where the Hub is silent or refuses, both are the folder in its cache. Raises ModelError if that holds no such model,
    for a repository without one and for an adapter, and HfHubHTTPError where the Hub says why it refuses.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
    from transformers.utils import cached_file

    folder = Path(location)
    if folder.is_absolute():
        return location, folder
    fault = None
    try:  # asked once, so that its refusal, or its silence for ten seconds, can be said as such
        get_hf_file_metadata(hf_hub_url(location, "config.json", revision=revision), timeout=_SECONDS)
    except Exception as error:  # of the Hub, or of the network, whose kinds differ by version
        fault = error
    lacking = isinstance(fault, EntryNotFoundError)
    given = {"revision": revision, "local_files_only": fault is not None and not lacking}
    given |= {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    adapter, config = (cached_file(location, name, **given) for name in ("adapter_config.json", "config.json"))
    if adapter is not None:
        check_adapter(Path(adapter).parent)
    if config is not None:
        folder = Path(config).parent
        return (str(folder) if given["local_files_only"] else location), folder
    if fault is None or lacking:
        remedy = "give a repository that holds a model as `save_pretrained` writes it"
        raise ModelError(f"{location} holds no config.json on the Hub: {remedy}")
    if isinstance(fault, HfHubHTTPError):
        raise fault
    remedy = "check the network, or download it elsewhere and give the folder instead"
    silence = f"the Hub ({constants.ENDPOINT}) does not answer, and its cache does not hold the model"
    raise ModelError(f"cannot load {location}: {silence}. What to do: {remedy}") from fault
