insert into {table}
{select}
