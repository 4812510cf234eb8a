-- What the build itself keeps: which raw files are in, and what each build did.
create table if not exists loaded_files (
    raw_file varchar not null,
    topic varchar not null,
    log_id varchar not null,
    log_partition integer not null,
    first_offset bigint not null,
    last_offset bigint not null,
    build_id bigint not null
);

comment on table loaded_files is 'Raw files that are in the warehouse; one row per file.';
comment on column loaded_files.raw_file is 'path of the landed file below the raw folder';
comment on column loaded_files.topic is 'topic of the event log';
comment on column loaded_files.log_id is 'identity of the event log';
comment on column loaded_files.log_partition is 'partition of the topic';
comment on column loaded_files.first_offset is 'offset of the first record in the file';
comment on column loaded_files.last_offset is 'offset of the last record in the file';
comment on column loaded_files.build_id is 'build that loaded the file';

create table if not exists build_info (
    build_id bigint not null,
    as_of timestamptz not null,
    is_full boolean not null,
    new_files bigint not null,
    touched_sessions bigint not null,
    touched_users bigint not null,
    offsets json not null,
    row_counts json not null,
    checks json not null,
    failed_blocking_checks integer not null,
    failed_warning_checks integer not null,
    models_hash varchar not null,
    duckdb_version varchar not null,
    pipeline_version varchar not null
);

comment on table build_info is 'What each build did; the newest row tells how fresh this file is.';
comment on column build_info.build_id is 'number of the build, also the name of its published version';
comment on column build_info.as_of is 'the moment the build took for now: decides which silent sessions are abandoned';
comment on column build_info.is_full is 'whether everything was built anew from the raw files';
comment on column build_info.new_files is 'raw files that this build loaded';
comment on column build_info.touched_sessions is 'sessions that this build computed anew';
comment on column build_info.touched_users is 'users whose sessions and weeks this build computed anew';
comment on column build_info.offsets is 'last offset loaded, per log, topic and partition';
comment on column build_info.row_counts is 'rows of each table after the build';
comment on column build_info.checks is 'each check with its severity and its number of offending rows';
comment on column build_info.failed_blocking_checks is 'blocking checks with offending rows: such a build is never published';
comment on column build_info.failed_warning_checks is 'warning checks with offending rows';
comment on column build_info.models_hash is 'fingerprint of the SQL models; another one makes the next build a full one';
comment on column build_info.duckdb_version is 'version of duckdb that built the file';
comment on column build_info.pipeline_version is 'version of this product'
