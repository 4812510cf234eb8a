create or replace view {table} as
{select}
