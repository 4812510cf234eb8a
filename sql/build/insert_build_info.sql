insert into build_info
select
    $build_id,
    $as_of::timestamptz,
    $is_full,
    $new_files,
    (select count(*) from all_touched_sessions),
    (select count(*) from touched_users),
    (
        select coalesce(to_json(list(o order by o.log_id, o.topic, o.log_partition)), '[]'::json)
        from (
            select log_id, topic, log_partition, max(last_offset) as last_offset
            from loaded_offsets
            group by log_id, topic, log_partition
        ) as o
    ),
    $row_counts::json,
    $checks::json,
    $failed_blocking_checks,
    $failed_warning_checks,
    $models_hash,
    version(),
    $pipeline_version
