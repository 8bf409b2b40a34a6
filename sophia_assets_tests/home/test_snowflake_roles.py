"""The Snowflake roles of readers, as they are set."""

from __future__ import annotations

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.settings import load_settings
from sophia_assets.settings.snowflake_roles import read_snowflake_roles


def test_each_role_has_the_snowflake_role_that_is_set_for_it() -> None:
    environment = {"SOPHIA_SNOWFLAKE_ROLE_EXECUTIVE": "SOPHIA_EXEC", "SOPHIA_SNOWFLAKE_ROLE_ANALYST": " sophia_a$1 "}
    assert load_settings(environment).snowflake_roles == {"executive": "SOPHIA_EXEC", "analyst": "sophia_a$1"}
    assert load_settings({"SOPHIA_SNOWFLAKE_ROLE_AUDITOR": ""}).snowflake_roles == {}


@pytest.mark.parametrize("name", ["a b", "x;y", '"quoted"', "1st", "é", "x" * 256])
def test_what_is_no_name_of_a_role_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="which is no name of a role"):
        read_snowflake_roles({"SOPHIA_SNOWFLAKE_ROLE_ANALYST": name})


def test_a_role_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="SOPHIA_SNOWFLAKE_ROLE_BOSS is set, which is no setting"):
        read_snowflake_roles({"SOPHIA_SNOWFLAKE_ROLE_BOSS": "X"})
