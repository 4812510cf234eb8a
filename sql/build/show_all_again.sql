drop view temp.{table}
