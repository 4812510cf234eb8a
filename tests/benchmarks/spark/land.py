"""Lands a topic by Spark Structured Streaming; run by the Python that has pyspark, prints the seconds taken.

`land.py BROKERS TOPIC FOLDER JARS`: what is in the topic now goes to zstd Parquet files in FOLDER, on both
of two cores. The seconds begin when Spark has started.
"""

import sys
import time
from pathlib import Path

from pyspark.sql import SparkSession  # type: ignore[import-not-found]  # not of our environment


def main() -> None:
    """Land all there is, and print the seconds that it took."""
    brokers, topic, folder, jars = sys.argv[1:]
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "2g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.jars", ",".join(str(jar) for jar in Path(jars).glob("*.jar")))
        .getOrCreate()
    )
    spark.range(1).count()
    begun = time.perf_counter()
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", brokers)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("includeHeaders", "true")
        .load()
        .select("key", "value", "timestamp", "partition", "offset", "headers")
    )
    query = (
        records.writeStream.format("parquet")
        .option("path", f"{folder}/raw")
        .option("checkpointLocation", f"{folder}/checkpoint")
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    print(time.perf_counter() - begun)
    spark.stop()


main()
