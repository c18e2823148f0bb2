"""Runs queries on a Spark cluster and writes their rows as JSON; kills a worker while one of them runs."""

import json
import os
import signal
import sys
import threading
import time

from pyspark.sql import SparkSession

# Options of Java that let it start quickly.
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

plan = json.load(open(sys.argv[1]))
spark = (
    SparkSession.builder.master(plan["master"])
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.executor.memory", "512m")
    .config("spark.executor.cores", "1")
    .config("spark.sql.shuffle.partitions", "2")
    # What is gained by compiling lasts longer than these queries.
    .config("spark.sql.codegen.wholeStage", "false")
    .config("spark.driver.extraJavaOptions", QUICK)
    .config("spark.executor.extraJavaOptions", QUICK)
    .config("spark.sql.adaptive.enabled", "false")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.warehouse.dir", plan["folder"])
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def executors():
    return spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1


def wait_for(count):
    until = time.time() + 200
    while executors() != count and time.time() < until:
        time.sleep(0.2)
    return executors()


def ask(script):
    statements = [text for text in script.split(";\n") if text.strip()]
    for statement in statements[:-1]:
        spark.sql(statement)
    return [json.loads(row) for row in spark.sql(statements[-1]).toJSON().collect()]


def die_during_a_query():
    # As soon as the cluster works on it.
    tracker = spark.sparkContext.statusTracker()
    while not tracker.getActiveStageIds():
        time.sleep(0.005)
    os.killpg(plan["victim"], signal.SIGKILL)


answer = {"executors_before": wait_for(2)}
answer["rows"] = [ask(script) for _, script in plan["scripts"]]
killer = threading.Thread(target=die_during_a_query)
killer.start()
answer["again"] = ask(dict(plan["scripts"])[plan["again"]])
killer.join()
answer["executors_after"] = wait_for(1)
json.dump(answer, open(plan["answer"], "w"))
spark.stop()
