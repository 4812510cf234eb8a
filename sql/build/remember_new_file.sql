insert into new_files values (?)
