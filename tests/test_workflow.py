"""The workflow that publishes the site: what it may do, and that it takes what `make` writes."""

import re
from pathlib import Path

import pytest
import yaml

from flockwasm.runtime import cache_folder

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def workflow():
    return yaml.safe_load((ROOT / ".github" / "workflows" / "pages.yml").read_text())


@pytest.fixture
def job(workflow):
    (found,) = workflow["jobs"].values()
    return found


def test_it_may_publish_pages_and_nothing_else(workflow, job):
    assert workflow["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    assert "permissions" not in job
    # YAML reads the key `on` as true.
    assert workflow[True]["push"] == {"branches": ["main"]}


def test_it_makes_the_site_and_uploads_and_deploys_it(job):
    steps = [re.sub(r"@v\d+$", "", step.get("uses") or step["run"]) for step in job["steps"]]
    assert steps == [
        "actions/checkout",
        "actions/cache",
        "make site",
        "actions/upload-pages-artifact",
        "actions/deploy-pages",
    ]


def test_what_is_uploaded_is_what_make_writes(job):
    (upload,) = (step for step in job["steps"] if "upload-pages" in step.get("uses", ""))
    made = re.search(r"^site:.*\n\t.* --out (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert upload["with"] == {"path": made[1]}


def test_what_is_kept_between_runs_is_where_the_build_looks(job):
    (cache,) = (step for step in job["steps"] if "/cache@" in step.get("uses", ""))
    kept = Path(cache["with"]["path"]).expanduser()
    assert cache_folder({}).is_relative_to(kept)
    (hashed,) = re.findall(r"hashFiles\('(.+?)'\)", cache["with"]["key"])
    assert (ROOT / hashed).is_file()


def test_the_environment_shows_the_address_of_what_was_deployed(job):
    deployment = job["steps"][-1]
    assert job["environment"]["name"] == "github-pages"
    assert f"steps.{deployment['id']}.outputs.page_url" in job["environment"]["url"]
