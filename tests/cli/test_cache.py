from tests.cli.command import here, refused


def entry(root, part, size):
    path = root / "cache" / part / "abc"
    path.mkdir(parents=True)
    (path / "x.safetensors").write_bytes(b"0" * size)
    return path


def test_the_cache_is_listed_with_sizes_and_without_what_is_half_written(tmp_path):
    entry(tmp_path, "activations", 1_200_000)
    (tmp_path / "cache" / "activations" / ".abc.part").touch()
    shown = here("cache", "list").stdout
    assert str(tmp_path / "cache") in shown and "1.2 MB" in shown
    assert "activations/abc" in shown and ".part" not in shown


def test_the_cache_is_cleared_as_a_whole_or_in_part(tmp_path):
    activations, results = entry(tmp_path, "activations", 1000), entry(tmp_path, "results", 1000)
    assert here("cache", "clear", "activations", "--yes").exit_code == 0
    assert not activations.exists() and results.exists()
    assert here("cache", "clear").exit_code == 1 and results.exists()  # asked, and nobody answered
    assert here("cache", "clear", "--yes").stdout == "0 MB deleted\n"
    assert not results.exists()


def test_an_unknown_part_of_the_cache_is_named_with_the_choices():
    assert "unknown part of the cache 'everything': choose activations" in refused(here("cache", "clear", "everything"))
