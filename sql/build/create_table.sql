create or replace table {table} as
{select}
