insert into build_info by name
select * from previous_builds
