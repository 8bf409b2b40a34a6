"""The Snowflake stand-in keeps the contract that counts: the vendor's own connector works with it."""

from __future__ import annotations

from contextlib import closing

from sophia_assets_tests.sandbox.small_company import served, small_company


def test_the_real_connector_logs_in_describes_and_reads() -> None:
    from snowflake.connector import DictCursor, connect
    from snowflake.connector.constants import FIELD_ID_TO_NAME

    with served(small_company(hubspot=None, gong=None)) as running:
        env = running.env
        connection = connect(
            user=env["SNOWFLAKE_USER"],
            password=env["SNOWFLAKE_PASSWORD"],
            account=env["SNOWFLAKE_ACCOUNT"],
            host=env["SNOWFLAKE_HOST"],
            port=int(env["SNOWFLAKE_PORT"]),
            protocol=env["SNOWFLAKE_PROTOCOL"],
            database=env["SNOWFLAKE_DATABASE"],
            schema="SALES",
        )
        with closing(connection):
            cursor = connection.cursor(DictCursor)
            cursor.execute("SELECT * FROM DEALS ORDER BY DEAL_ID LIMIT 1")
            kinds = {column.name: FIELD_ID_TO_NAME[column.type_code] for column in cursor.description}
            assert kinds == {
                "DEAL_ID": "TEXT",
                "AMOUNT": "FIXED",
                "PROBABILITY": "REAL",
                "CLOSE_DATE": "DATE",
                "STAGE": "TEXT",
                "UPDATED_AT": "TIMESTAMP_NTZ",
            }
            assert cursor.fetchone()["DEAL_ID"] == "D0"  # type: ignore[index]
            cursor.execute("SELECT COUNT(*) AS N FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'FINANCE'")
            assert cursor.fetchone() == {"N": 1}
