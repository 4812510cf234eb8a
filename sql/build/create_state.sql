-- What the build itself keeps: which raw files are in, and what each build did.
create table if not exists loaded_offsets (
    topic varchar not null,
    log_id varchar not null,
    log_partition integer not null,
    first_offset bigint not null,
    last_offset bigint not null
);

comment on table loaded_offsets is 'What of the event log is in the warehouse; one row per unbroken run of offsets.';
comment on column loaded_offsets.topic is 'topic of the event log';
comment on column loaded_offsets.log_id is 'identity of the event log';
comment on column loaded_offsets.log_partition is 'partition of the topic';
comment on column loaded_offsets.first_offset is 'first offset of the run';
comment on column loaded_offsets.last_offset is 'last offset of the run';

create table if not exists raw_files (
    raw_file varchar not null,
    topic varchar not null,
    log_id varchar not null,
    log_partition integer not null,
    first_offset bigint not null,
    last_offset bigint not null
);

comment on table raw_files is 'Landed files at the time of the newest build: where each offset is kept now; one row per file.';
comment on column raw_files.raw_file is 'name of the landed file below the raw folder';
comment on column raw_files.topic is 'topic of the event log';
comment on column raw_files.log_id is 'identity of the event log';
comment on column raw_files.log_partition is 'partition of the topic';
comment on column raw_files.first_offset is 'first offset for which the file counts';
comment on column raw_files.last_offset is 'last offset for which the file counts';

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
