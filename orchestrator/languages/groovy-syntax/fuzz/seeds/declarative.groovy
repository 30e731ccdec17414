pipeline { agent any; stages { stage("a") { steps { sh """x ${y}
 z""" } } } }
